PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where PyTorch's plain wheels bring several GB of GPU libraries, its CPU index serves smaller ones:
#   make app PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"
PIP_FLAGS ?=

.PHONY: app test lint rapid clean

app: $(VENV)/app.done
	$(BIN)/python app.py

test: $(VENV)/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

lint: $(VENV)/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Ten rounds of a hundred quick random actions on the page; the tests run two of forty.
rapid: $(VENV)/test.done
	UI_ROUNDS=10 UI_ACTIONS=100 $(BIN)/python -m pytest tests/ui/test_rapid_actions.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/app.done: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements.txt
	touch $@

# As on a host: with requirements.txt alone, before anything else is installed.
$(VENV)/host.done: $(VENV)/app.done
	$(BIN)/python -m tests.host_start
	touch $@

$(VENV)/test.done: requirements.txt requirements-test.txt $(VENV)/host.done
	$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements-test.txt
	sh tests/install_chromium.sh "$(BIN)"
	touch $@

clean:
	rm -rf $(VENV)
