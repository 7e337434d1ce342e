# SPDX-License-Identifier: Apache-2.0
# The front door.  Each target is a line or two over meson and scripts/.
#
#   make demo [CARDS=200] [LINES=2] [READERS=4] [PROTOCOL=t0]   the main job, on loopback
#                  BOARD=host, virt (the firmware on virtual boards) or qemu (boards/mps2_an385)
#   make test      everything, with AddressSanitizer and UBSan
#   make           build the programs into build/release
#   make firmware  the reader's firmware: ELF, BIN, HEX, sizes (build/firmware)
#   make firmware-mps2  the same for qemu-system-arm (build/firmware-mps2)
#   make bench     figures against the limits, in the same run
#   make bench-firmware  the firmware's figures, in the virtual board's time
#   make model     the ledger's SPIN model and its mutants
#   make soak      the stepper over many seeds (SEEDS=2000 CARDS=1000)
#   make fuzz      each fuzz target for FUZZ_SECONDS (60)
#   make style     house rules
#   make install   PREFIX=/usr/local DESTDIR=

CARDS ?= 200
LINES ?= 2
READERS ?= 4
BOARD ?= host
PROTOCOL ?= t0
SEEDS ?= 2000
FUZZ_SECONDS ?= 60
MODEL ?= small
PREFIX ?= /usr/local
REL = build/release
SAN = build/test

all: $(REL)/build.ninja
	@meson compile -C $(REL) >$(REL)/compile.log 2>&1 || { cat $(REL)/compile.log; exit 1; }
	@mkdir -p $(REL)/bin && cd $(REL)/bin && ln -sf ../tools/cardwright ../*/cardwright-* . && rm -f *.p

$(REL)/build.ninja:
	@scripts/deps.sh build
	@meson setup $(REL) --buildtype=release -Ddebug=true -Dwerror_all=false -Dtests=false --prefix=$(PREFIX) >build-setup.log 2>&1 || \
	    { cat build-setup.log; exit 1; }; mv build-setup.log $(REL)/setup.log

$(SAN)/build.ninja:
	@scripts/deps.sh build test
	@meson setup $(SAN) -Db_sanitize=address,undefined -Db_lundef=false >build-setup.log 2>&1 || \
	    { cat build-setup.log; exit 1; }; mv build-setup.log $(SAN)/setup.log

demo:
	@scripts/deps.sh build $(if $(filter virt,$(BOARD)),firmware board) $(if $(filter qemu,$(BOARD)),firmware qemu)
	@$(MAKE) --no-print-directory -s all
	@$(if $(filter virt,$(BOARD)),scripts/firmware.sh build/firmware)
	@$(if $(filter qemu,$(BOARD)),scripts/firmware-mps2.sh build/firmware-mps2)
	@python3 scripts/demo.py --build $(REL) --cards $(CARDS) --lines $(LINES) --readers $(READERS) \
		--protocol $(PROTOCOL) --board $(BOARD)

# The firmware's own tests run what is built here; a build that fails is told, and
# `make firmware` fails by it.
test:
	@scripts/deps.sh build test firmware
	@mkdir -p build; scripts/firmware.sh build/firmware >build/firmware.log 2>&1 || tail -n 20 build/firmware.log
	@$(MAKE) --no-print-directory -s $(SAN)/build.ninja
	@scripts/test.sh $(SAN)

firmware:
	@scripts/deps.sh firmware
	@scripts/firmware.sh build/firmware

firmware-mps2:
	@scripts/deps.sh firmware
	@scripts/firmware-mps2.sh build/firmware-mps2

bench:
	@scripts/deps.sh build test
	@$(MAKE) --no-print-directory -s all
	@python3 bench/run.py --build $(REL)

bench-firmware: firmware
	@scripts/deps.sh build test board
	@mkdir -p build; test -f build/bench/build.ninja || \
	    meson setup build/bench --buildtype=release -Ddebug=true >build/bench-setup.log
	@ninja -C build/bench tests/elf/test-limits >build/bench/compile.log
	@build/bench/tests/elf/test-limits build/firmware/cardwright-reader.elf 2>&1

model:
	@scripts/deps.sh model
	@scripts/model.sh $(MODEL)

soak: all
	@$(REL)/tests/sim/stepper --seeds $(SEEDS) --cards $(CARDS) --jobs 2

fuzz:
	@scripts/deps.sh build test
	@scripts/fuzz.sh $(FUZZ_SECONDS)

style:
	@scripts/style.sh

install: all
	@meson install -C $(REL)

clean:
	rm -rf build

.PHONY: all demo test firmware firmware-mps2 bench bench-firmware model soak fuzz style install clean
