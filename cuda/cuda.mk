# The CUDA build. It uses nvcc from NVCC, else from PATH, else /usr/local/cuda, else what `make cuda-toolkit` installed into .tools.

CUDA_LOCAL := $(CURDIR)/.tools/cuda/nvidia/cu13
NVCC       ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc) $(CUDA_LOCAL)/bin/nvcc)
CUDA_HOME  := $(patsubst %/bin/nvcc,%,$(NVCC))

NVCC_FLAGS := -O3 -std=c++17 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true
CUDA_ARCHS := -gencode arch=compute_80,code=[sm_80,compute_80] -gencode arch=compute_90a,code=sm_90a \
              -gencode arch=compute_100,code=sm_100 -gencode arch=compute_120,code=sm_120
NO_SPILLS  := -Xptxas -warn-spills,-warn-lmem-usage,-Werror

# What cgo needs: the headers, those of CUDA 13 by way of compat/cuda.h, and the loader's empty libcuda before any real one.
CUDA_ENV := CGO_CFLAGS="-O2 -g -I$(CURDIR)/cuda/compat -I$(CUDA_HOME)/include -Wno-deprecated-declarations" \
            CGO_LDFLAGS="-O2 -g -L$(CURDIR)/cuda/loader/lib"

CU_FILES   := $(wildcard cuda/*.cu)
CU_HEADERS := $(wildcard cuda/*.cuh)
FATBINS    := $(CU_FILES:cuda/%.cu=cuda/fatbin/%.fatbin)
EMULATOR   := $(CURDIR)/bin/libcuda-emu.so

.PHONY: cuda cuda-toolkit cuda-kernels env test-emu mutants-cuda

cuda-toolkit: $(CUDA_LOCAL)/.installed

$(CUDA_LOCAL)/.installed: cuda/toolkit.txt
	python3 -m pip install --quiet --no-deps --upgrade --target .tools/cuda -r cuda/toolkit.txt
	touch $@

# Exports for an editor or a shell: eval "$$(make -s env)"
env:
	@echo 'export $(CUDA_ENV)'

cuda-kernels: $(FATBINS)

cuda/fatbin/%.fatbin: cuda/%.cu $(CU_HEADERS) cuda/cuda.mk cuda/lint/main.go
	@test -x "$(NVCC)" || { echo "no nvcc: set NVCC, or run make cuda-toolkit"; exit 1; }
	@mkdir -p cuda/fatbin bin/ptx
	@echo nvcc $<
	@$(NVCC) $(NVCC_FLAGS) -arch=compute_80 -ptx -o bin/ptx/$*.ptx $<
	@$(GO) run ./cuda/lint bin/ptx/$*.ptx
	@$(NVCC) $(NVCC_FLAGS) $(CUDA_ARCHS) $(NO_SPILLS) -fatbin -o $@ $<

cuda/loader/syms.h: $(wildcard gpu/*.go) cuda/loader/gensyms/main.go | cuda-kernels
	cd cuda/loader && $(CUDA_ENV) $(GO) run ./gensyms -o syms.h gorgonia.org/cu lockstep/gpu

cuda: cuda-kernels
	$(CUDA_ENV) $(GO) build -tags cuda -trimpath -buildvcs=auto -o $(BIN) ./cmd/lockstep
	@! readelf -d $(BIN) | grep libcuda || { echo "$(BIN) needs libcuda to start"; exit 1; }
	@! nm -D -u $(BIN) | grep ' cu[A-Z]' || { echo "$(BIN) calls driver functions that cuda/loader/syms.h lacks: go generate"; exit 1; }

$(EMULATOR): $(CU_FILES) $(CU_HEADERS) $(wildcard cuda/emu/*)
	@echo emulated driver
	@CUDA_HOME=$(CUDA_HOME) cuda/emu/build.sh $@

# The CUDA path without a card: the emulator's own tests; the conformance suite in three orders of threads and blocks and with three
# sanitizers; sweeps, whose digests must be those of the CPU engine; lockstep verify; faults of each kind in every kernel file.
EMULATED := LOCKSTEP_CUDA_DRIVER=$(EMULATOR) REQUIRE=cuda $(CUDA_ENV)
MUTANTS  := CUDA_HOME=$(CUDA_HOME) $(CUDA_ENV) $(GO) run ./internal/mutants -cuda

test-emu: cuda $(EMULATOR)
	CUDA_HOME=$(CUDA_HOME) cuda/emu/test.sh
	CUDA_HOME=$(CUDA_HOME) GO=$(GO) $(CUDA_ENV) cuda/emu/suite.sh
	$(EMULATED) $(GO) test -count=1 -tags cuda -run CUDA ./cmd/lockstep
	LOCKSTEP_CUDA_DRIVER=$(EMULATOR) $(BIN) verify --device cuda > bin/verify-emu.txt || { cat bin/verify-emu.txt; exit 1; }
	@tail -1 bin/verify-emu.txt
	$(MUTANTS)
	CUDA_HOME=$(CUDA_HOME) $(CUDA_ENV) $(GO) test -count=1 -tags cuda ./internal/mutants

# Every fault in every kernel file.
mutants-cuda: cuda $(EMULATOR)
	$(MUTANTS) -all
