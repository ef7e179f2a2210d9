# The CUDA build. It uses nvcc from NVCC, else from PATH, else /usr/local/cuda, else what `make cuda-toolkit` installed into .tools.

CUDA_LOCAL := $(CURDIR)/.tools/cuda/nvidia/cu13
NVCC       ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc) $(CUDA_LOCAL)/bin/nvcc)
CUDA_HOME  := $(patsubst %/bin/nvcc,%,$(NVCC))

# What cgo needs: the headers, those of CUDA 13 by way of compat/cuda.h, and the loader's empty libcuda before any real one. The
# functions of NVML are bound when they are called: with -z now, which some compilers have by default, no program would start without it.
CUDA_ENV := CGO_CFLAGS="-O2 -g -I$(CURDIR)/cuda/compat -I$(CUDA_HOME)/include -Wno-deprecated-declarations" \
            CGO_LDFLAGS="-O2 -g -L$(CURDIR)/cuda/loader/lib -Wl,-z,lazy"

CU_FILES   := $(wildcard cuda/*.cu)
CU_HEADERS := $(wildcard cuda/*.cuh)
FATBINS    := $(CU_FILES:cuda/%.cu=cuda/fatbin/%.fatbin)
EMULATOR   := $(CURDIR)/bin/libcuda-emu.so

.PHONY: cuda cuda-toolkit cuda-kernels cuda-pinned cuda-report env test-emu mutants-cuda gpu-check gpu-bundle rehearse toy-emu

cuda-toolkit: $(CUDA_LOCAL)/.installed

$(CUDA_LOCAL)/.installed: cuda/toolkit.txt
	python3 -m pip install --quiet --no-deps --upgrade --target .tools/cuda -r cuda/toolkit.txt
	touch $@

# Exports for an editor or a shell: eval "$$(make -s env)"
env:
	@echo 'export NVCC="$(NVCC)" $(CUDA_ENV)'

cuda-kernels: $(FATBINS)

cuda/fatbin/%.fatbin: cuda/%.cu $(CU_HEADERS) cuda/nvcc.sh bin/ptxlint
	@echo nvcc $<
	@cuda/nvcc.sh "$(NVCC)" bin/ptxlint $< $@

cuda/fatbin/resident.fatbin: $(CU_FILES) # which it includes

bin/ptxlint: cuda/lint/main.go
	@$(GO) build -o $@ ./cuda/lint

# What nvcc made of the kernels: cuda/REPORT.md, of the pinned nvcc, as each version makes other code.
cuda-report: $(FATBINS:cuda/fatbin/%.fatbin=bin/sass/%.txt)
	$(GO) run ./cuda/report $^ > bin/REPORT.md
	mv bin/REPORT.md cuda/REPORT.md

bin/sass/%.txt: cuda/fatbin/%.fatbin | cuda-pinned
	@mkdir -p $(@D)
	@echo cuobjdump $<
	@$(CUDA_HOME)/bin/cuobjdump -elf -res-usage -sass $< > $@.part
	@mv $@.part $@

PINNED := $(shell sed -n 's/^nvidia-cuda-nvcc==//p' cuda/toolkit.txt)
cuda-pinned:
	@$(NVCC) --version | grep -qF V$(PINNED) || { echo "cuda/REPORT.md is of nvcc $(PINNED), $(NVCC) is another: NVCC=$(CUDA_LOCAL)/bin/nvcc is that of make cuda-toolkit"; exit 1; }
	@test -x $(CUDA_HOME)/bin/cuobjdump || { echo "no cuobjdump beside $(NVCC): run make cuda-toolkit"; exit 1; }

cuda/loader/syms.h: $(wildcard gpu/*.go) cuda/loader/gensyms/main.go | cuda-kernels
	cd cuda/loader && $(CUDA_ENV) $(GO) run ./gensyms -o syms.h gorgonia.org/cu lockstep/gpu

cuda: cuda-kernels
	$(CUDA_ENV) $(GO) build -tags cuda -trimpath -buildvcs=auto -o $(BIN) ./cmd/lockstep
	@! readelf -d $(BIN) | grep libcuda || { echo "$(BIN) needs libcuda to start"; exit 1; }
	@! nm -D -u $(BIN) | grep ' cu[A-Z]' || { echo "$(BIN) calls driver functions that cuda/loader/syms.h lacks: go generate"; exit 1; }

$(EMULATOR): $(CU_FILES) $(CU_HEADERS) $(wildcard cuda/emu/*.*)
	@echo emulated driver
	@CUDA_HOME=$(CUDA_HOME) cuda/emu/build.sh $@

# The CUDA path without a card: the emulator's own tests; the conformance suite in three orders of threads and blocks and with three
# sanitizers; sweeps, whose digests must be those of the CPU engine; lockstep verify; faults of each kind in every kernel, of which
# CUDA_FAULTS='-part 1/3' plants the first of three parts.
EMULATED := LOCKSTEP_CUDA_DRIVER=$(EMULATOR) REQUIRE=cuda $(CUDA_ENV)
CUDA_FAULTS ?=
CUDA_MUTANTS := CUDA_HOME=$(CUDA_HOME) $(CUDA_ENV) $(GO) run ./internal/mutants -cuda

test-emu: cuda $(EMULATOR)
	CUDA_HOME=$(CUDA_HOME) cuda/emu/test.sh
	CUDA_HOME=$(CUDA_HOME) GO=$(GO) $(CUDA_ENV) cuda/emu/suite.sh
	$(EMULATED) $(GO) test -count=1 -tags cuda -run CUDA ./cmd/lockstep ./bench
	LOCKSTEP_CUDA_DRIVER=$(EMULATOR) $(BIN) verify --device cuda > bin/verify-emu.txt || { cat bin/verify-emu.txt; exit 1; }
	@tail -1 bin/verify-emu.txt
	$(CUDA_MUTANTS) $(CUDA_FAULTS)
	CUDA_HOME=$(CUDA_HOME) $(CUDA_ENV) $(GO) test -count=1 -tags cuda ./internal/mutants

# Every fault of every kernel.
mutants-cuda: cuda $(EMULATOR)
	$(CUDA_MUTANTS) -all

# On a machine with a card: everything that gpu-check.sh asks of it, or PARTS=..; into out/gpu-check, or RECORD=.. Without Go there: unpack what gpu-bundle
# makes here, and run bench/gpu-check.sh.
gpu-check: cuda
	bench/gpu-check.sh $(if $(RECORD),--record $(RECORD)) $(PARTS)

BUNDLE := bin/lockstep-gpu-check.tar.gz

gpu-bundle: cuda
	tar -czf $(BUNDLE) bench/gpu-check.sh bench/peers studies $(BIN)
	@test $$(tar -tzvf $(BUNDLE) | awk '{s += $$3} END {print s}') -le 67108864 || { echo "$(BUNDLE) unpacks to more than 64 MiB"; exit 1; }

# gpu-check.sh from the bundle in an empty folder, with next to nothing in its environment, on the emulated driver; a stand-in runs
# what compute-sanitizer would. Twice: the second time no part is left to run, but for those that are skipped again. None of it
# counts as a check at full size: there every part is still to do. The bundle holds Go files: the folder's name keeps them out of ./...
rehearse: gpu-bundle $(EMULATOR)
	rm -rf $(REHEARSED) && mkdir -p $(REHEARSED) && tar -xzf $(BUNDLE) -C $(REHEARSED)
	@twice=$$($(GO) list ./... | grep /$(REHEARSED)/); test -z "$$twice" || { echo "go test ./... would run what is unpacked here:" $$twice; exit 1; }
	$(REHEARSE)
	@$(REHEARSE) > $(REHEARSED)/second.txt 2>&1 || { cat $(REHEARSED)/second.txt; echo "the second rehearsal failed"; exit 1; }
	@! grep '^== ' $(REHEARSED)/second.txt || { echo "these parts had ended well, and ran again"; exit 1; }
	@echo "the second rehearsal ran no part"; grep '^SKIPPED' $(REHEARSED)/second.txt || true
	@ran=$$($(BIN) record --to $(REHEARSAL) --on lockstep-emulator --done) && test -z "$$ran" || { echo "a rehearsal counts as the check itself: $$ran"; exit 1; }
	$(GO) run ./bench/table -print $(REHEARSAL)

REHEARSED := bin/_rehearsal
REHEARSAL := $(REHEARSED)/out/gpu-check/lockstep-emulator-rehearsal.jsonl

REHEARSE := env -i PATH=$(CURDIR)/bench/testdata:/usr/bin:/bin HOME=/nowhere LOCKSTEP_CUDA_DRIVER=$(EMULATOR) bash $(REHEARSED)/bench/gpu-check.sh --rehearse

# The whole toy study on the emulated driver, some eight minutes: its digest must be that of the CPU engine.
toy-emu: cuda $(EMULATOR)
	LOCKSTEP_CUDA_DRIVER=$(EMULATOR) bash bench/gpu-check.sh --both intrinsic-toy
