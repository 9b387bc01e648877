# rtvoice: the two commands of the README are `make run` and `make test`.
# Both set up what is missing: system packages, then a virtual environment in .venv.

PYTHON ?= python3
BIN := .venv/bin

# What a fresh Debian, Ubuntu or Raspberry Pi OS lacks: PyAudio is built from source; flite and espeak-ng are the local voices.
RUN_PACKAGES := python3-venv python3-dev gcc libc6-dev portaudio19-dev libasound2-plugins flite espeak-ng
# The virtual sound card of the tests; what reads the manual pages; what the examples in C and JavaScript stand on.
# Node.js may come from elsewhere, and then its packages exclude Debian's.
NODE_PACKAGES := $(shell command -v node >/dev/null && command -v npm >/dev/null || echo nodejs npm)
TEST_PACKAGES := pulseaudio pulseaudio-utils mandoc libzmq3-dev systemd $(NODE_PACKAGES)
# A machine that boots: nspawn, a user's service manager, and what it speaks and hears with.
BOOT_PACKAGES := systemd-container libpam-systemd dbus-user-session pulseaudio pulseaudio-utils flite

.DEFAULT_GOAL := help
.PHONY: help generate setup test-setup run quick test conformance boot soak bench check clean

help:
	@echo 'make run     hold a spoken conversation (PROVIDER=openai for the real thing; default: the local toy server)'
	@echo 'make quick   the tests that run in one process, in under 40 s'
	@echo 'make test    all checks and tests'
	@echo 'make conformance  openai-python and openai-agents, unmodified, against rtvoiced serve'
	@echo 'make boot    the service in a real systemd that boots in a container; needs root'
	@echo 'make soak    minutes of abuse: 100,000 events past a stopped subscriber, 100,000 wrong frames'
	@echo 'make bench   20 minutes of a quiet machine: IPC, interruption beside the article, embedded server; writes docs/benchmarks.md'
	@echo 'make bench BEFORE=DIR  this checkout beside that one, each with its .venv'
	@echo 'make check   ruff, mypy, import-linter, and whether what is generated is fresh'
	@echo 'make setup   system packages and .venv, nothing else'

# $(call system_packages,NAMES): install with apt what is missing; elsewhere say what to install.
define system_packages
	@if command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1; then \
	  missing=""; \
	  for package in $(1); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	  done; \
	  if [ -n "$$missing" ]; then \
	    echo "setup: installing system packages:$$missing"; \
	    sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    { $$sudo apt-get update -q >/dev/null && $$sudo env DEBIAN_FRONTEND=noninteractive \
	      apt-get install -y -q --no-install-recommends $$missing >.setup.log 2>&1; } \
	    || { cat .setup.log 2>/dev/null; echo "setup: could not install:$$missing"; exit 1; }; \
	    rm -f .setup.log; \
	  fi; \
	else \
	  command -v flite >/dev/null 2>&1 || command -v espeak-ng >/dev/null 2>&1 || { \
	    echo "setup: no apt here; if the next steps fail, install by hand:"; \
	    echo "  Fedora:  sudo dnf install python3-devel gcc portaudio-devel alsa-plugins-pulseaudio flite espeak-ng"; \
	    echo "  Arch:    sudo pacman -S python gcc portaudio alsa-plugins flite espeak-ng"; \
	    echo "  macOS:   brew install portaudio flite espeak-ng"; \
	  }; \
	fi
endef

setup:
	$(call system_packages,$(RUN_PACKAGES))
	@$(MAKE) -s --no-print-directory .venv/.ready

.venv/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "setup: Python 3.11 or newer is needed; try: make PYTHON=python3.12 …"; exit 1; }
	@echo "setup: Python packages into .venv (PyAudio is compiled)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[local]' --group dev
	@touch $@

test-setup: setup
	$(call system_packages,$(TEST_PACKAGES))
	@$(MAKE) -s --no-print-directory .venv/node/.ready

# Its native part is in the package: nothing is compiled.
.venv/node/.ready: docs/examples/package.json
	@echo "setup: npm's zeromq into .venv/node, for the example in JavaScript"
	@mkdir -p .venv/node && cp docs/examples/package.json .venv/node
	@npm install --prefix .venv/node --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# With a microphone and a speaker one talks to it; else a dialogue plays by itself into a WAV file.
# The embedded server is the default even where a key is set: nobody is billed by surprise.
PROVIDER := local
DIALOGUE := docs/examples/dialogue.toml
RTVOICED = $(BIN)/rtvoiced --provider $(PROVIDER) --log-format console --log-level warning

run: setup
	@echo 'From another terminal: $(BIN)/rtctl status, $(BIN)/rtctl events, $(BIN)/rtctl ask "who are you". Ctrl-C ends it.'
	@$(RTVOICED) --check >/dev/null
	@if $(RTVOICED) --check --json | $(BIN)/python -c $(HAS_CARD); then \
	  echo 'Say: what time is it; tell me a story (and speak into it).'; \
	  exec $(RTVOICED); \
	else \
	  echo 'No microphone and speaker found: a dialogue plays by itself.'; \
	  mkdir -p out && exec $(RTVOICED) --audio wav:$(DIALOGUE),out/dialogue.wav; \
	fi
HAS_CARD = 'import json, sys; audio = json.load(sys.stdin)["audio"]; sys.exit(not (audio["input"] and audio["output"]))'

# What is made of the declarations: schemas, rtctl's verbs, both clients' methods, completions, rows of the documents.
generate: setup
	$(BIN)/python -m generate

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m generate --check

# The tests must see no key and no setting of whoever runs them; hundreds of processes find bytecode.
CLEAN_ENV = env -u PYTHONDONTWRITEBYTECODE $$(env | sed -nE 's/^((OPENAI|AZURE|RTVOICED?)_[A-Z0-9_]*)=.*/-u \1/p')

# Everything that runs in one process, the loop while one works; two at a time, for these compute.
IN_PROCESS := not process and not long and not device and not soak
QUICK_S := 40
TEST_S := 300
# $(call told,NAME,BOUND): how long it took since $$begun, in seconds, beside its bound.
told = echo "make $(1): $$(($$(date +%s) - begun)) s, set-up aside; meant to take at most $(2)"

quick: setup
	@begun=$$(date +%s); \
	$(CLEAN_ENV) $(BIN)/python -m pytest -q -n 2 --dist worksteal -m '$(IN_PROCESS)' && $(call told,quick,$(QUICK_S))

# Four at a time on two cores, for many of them wait. The real sound devices come last and alone: a busy machine would be
# measured instead of the daemon.
test: test-setup
	@begun=$$(date +%s); $(MAKE) --no-print-directory check && \
	$(CLEAN_ENV) $(BIN)/python -m pytest -q -n 4 --dist worksteal -m 'not device and not soak' && \
	$(CLEAN_ENV) $(BIN)/python -m pytest -q -rP -m device tests/device && $(call told,test,$(TEST_S))

# Other people's clients; each in an environment of its own, for they want other versions of the same packages.
CLIENTS := .venv/conformance
CONFORMANCE_ENVS := $(CLIENTS)/openai/.ready $(CLIENTS)/agents/.ready

conformance: setup $(CONFORMANCE_ENVS)
	$(CLEAN_ENV) PYTHONPATH=tests $(BIN)/python -m conformance.run $(CLIENTS)

$(CONFORMANCE_ENVS): $(CLIENTS)/%/.ready: tests/conformance/%.txt
	@echo "setup: Python packages into $(@D)"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@

boot: setup
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) -s --no-print-directory boot-setup; fi
	$(CLEAN_ENV) $(BIN)/python tests/boot/boot.py

.PHONY: boot-setup
boot-setup:
	$(call system_packages,$(BOOT_PACKAGES))

# One after the other and alone: they measure.
soak: test-setup
	$(CLEAN_ENV) $(BIN)/python -m pytest -q -rP -m soak

# All of them, even where a target is missed.
BENCHES := $(addprefix tests/bench/,ipc.py interruption.py server.py)
# make bench BEFORE=DIR: this checkout beside that one, and nothing else.
ifdef BEFORE
BENCHES := tests/bench/before.py
endif

bench: test-setup
	@missed=0; for each in $(BENCHES); do \
	  $(CLEAN_ENV) PYTHONPATH=tests BENCH_BEFORE=$(BEFORE) $(BIN)/python $$each || missed=1; \
	done; exit $$missed

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
