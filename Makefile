# lockstep: `make run` does the main job, `make test` proves the build. Both need Go and make, nothing else.

MAKEFLAGS += --no-builtin-rules
GO ?= go
BIN := bin/lockstep

.PHONY: all build run toy test test-exhaustive exhaustive-digests exhaustive-errors fuzz scale mutants licences cpu-record generate fmt lint ci clean

all: build

build:
	$(GO) build -trimpath -buildvcs=auto -o $(BIN) ./cmd/lockstep

# The main job: the intrinsic dimension of networks on handwritten digits, 90 cells; table, plot, report.
run: build
	rm -rf out/intrinsic-digits
	$(BIN) study run intrinsic-digits --out out/intrinsic-digits

# The toy problem of Li et al. 2018, whose intrinsic dimension is 10 exactly.
toy: build
	rm -rf out/intrinsic-toy
	$(BIN) study run intrinsic-toy --out out/intrinsic-toy

test:
	$(GO) build ./...
	$(GO) test ./...
	@echo "variants of the CPU's kernels, each held alone against the laws:"
	@$(GO) test -v -run '^TestConformance$$' ./cpu | sed -n 's/^    --- \([A-Z]*\): TestConformance\/\([a-z0-9]*\) .*/  \1 \2/p'

# Every elementwise function of one operand over all 2^32 inputs, by its law and on the CPU engine, against the committed digests; and how far the engine's results
# are from the exact ones, against optest/ulp/errors.txt. The laws alone take some 45 minutes of one core. RUN chooses functions, such as RUN=/exp.
test-exhaustive:
	LOCKSTEP_EXHAUSTIVE=1 $(GO) test -count=1 -v -timeout 0 -run 'OverAllInputs$(RUN)' ./optest/exhaustive

# The digests of the laws that optest/exhaustive/digests.txt lacks, one after the other: it can be stopped, and goes on.
exhaustive-digests:
	LOCKSTEP_EXHAUSTIVE=1 $(GO) test -count=1 -v -timeout 0 -run 'LawOverAllInputs$(RUN)' ./optest/exhaustive -update

# The errors of the functions, into optest/ulp/errors.txt and the table of docs/NUMERICS.md.
exhaustive-errors:
	LOCKSTEP_EXHAUSTIVE=1 $(GO) test -count=1 -v -timeout 0 -run 'EngineOverAllInputs' ./optest/exhaustive -publish
	$(GO) run ./optest/ulp/table

# Every fuzz target, FUZZTIME each: the readers of files, attributes and shapes, random programs and their derivatives. What one finds stands in
# testdata/fuzz of its package, and go test runs it from then on. FUZZ chooses targets, such as FUZZ=FuzzPrograms.
FUZZTIME ?= 20s
FUZZ ?= Fuzz\w+
fuzz:
	@grep -roE --include='*_test.go' '^func $(FUZZ)\(' cmd cpu cuda data bench graph internal model op optest report studies subspace sweep | sed 's|/[^/]*:func | |; s|($$||' | sort | \
	while read -r package target; do bash internal/fuzz.sh $(GO) $$package $$target $(FUZZTIME) || exit 1; done

# Known faults, planted one at a time: the tests must notice each. MUTANTS=-quick runs only the tests that are known to; MUTANTS='-run REGEXP' chooses faults,
# MUTANTS='-part 1/3' the first of three parts.
mutants:
	$(GO) run ./internal/mutants $(MUTANTS)

# A record of the full suite, and of the kernels' speed, with every variant that this CPU has, to commit under bench/results: what is on
# record may run by default (see cpu/twin.go).
cpu-record: build
	@bash bench/cpu-record.sh

# Ten thousand cells: planning, memory, and what a cell costs beside its training. `make test` does it with a thousand.
scale:
	LOCKSTEP_CELLS=10000 $(GO) test -count=1 -v -run 'PlanningTracesOnce|MemoryIsFlat' ./sweep
	$(GO) test -run xxx -bench 'Planning|Overhead' ./sweep

licences:
	$(GO) run ./internal/licences > docs/LICENCES.md

# The assembly of cpu/, from the generator in its own module.
generate:
	cd cpu/gen && $(GO) run . -out ..

fmt:
	gofmt -l -w $$(git ls-files '*.go')

lint:
	$(GO) vet ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) run honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK) ./...

STATICCHECK := v0.8.2

include cuda/cuda.mk
include bench/peers/peers.mk

ci:
	bash .ci/run

clean:
	rm -rf bin out
