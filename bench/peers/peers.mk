# Peers on the CPU: JAX, PyTorch, curvlinops and numpy (for its OpenBLAS) in a virtual environment of the repository's own, beside gonum and lockstep.

PEERS_ENV := .tools/peers
CPU_NAME   = $(shell grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | tr -cs 'A-Za-z0-9\n' - | sed 's/^-//;s/-$$//')
PEERS_TO   = $(if $(QUICK),out/peers-quick.jsonl,out/peers.jsonl)

.PHONY: peers peers-env

# One run measures all sides, some twenty-five minutes on a machine with nothing else to do. Its record goes to bench/results, its tables into README.
# QUICK=1: a few minutes of the same, to see that all works; its record stays in out, and the tables are printed.
peers: build peers-env
	$(GO) build -trimpath -buildvcs=auto -o bin/peers ./bench/peers
	@mkdir -p out && rm -f $(PEERS_TO)
	$(BIN) record --to $(PEERS_TO) --part cpu-peers --limit 60m -- bin/peers $(if $(QUICK),-quick) > out/peers.out
ifdef QUICK
	$(GO) run ./bench/table -print $(PEERS_TO)
else
	cp $(PEERS_TO) bench/results/$$(date +%F)-$(CPU_NAME)-peers.jsonl
	$(GO) run ./bench/table
endif

peers-env: $(PEERS_ENV)/.installed

$(PEERS_ENV)/.installed: bench/peers/requirements.txt bench/peers/cuda_stubs.py
	@command -v python3 >/dev/null || { echo "make peers needs python3, 3.11 or later, with venv and pip; there is none"; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make peers needs Python 3.11 or later; python3 is $$(python3 --version)"; exit 1; }
	@python3 -c 'import ensurepip, venv' || { echo "make peers needs Python's venv and pip; on Debian: apt-get install python3-venv"; exit 1; }
	python3 -m venv --clear $(PEERS_ENV)
	$(PEERS_ENV)/bin/python3 -m pip install --quiet --no-deps -r bench/peers/requirements.txt
	$(PEERS_ENV)/bin/python3 bench/peers/cuda_stubs.py
	touch $@
