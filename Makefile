# holdfast. `make help` lists the targets; V=1 shows the commands.
#
# VARIANT  release (default), asan, fuzz      objects go to build/<variant>/
# LAYERS   folders to build, lowest first     e.g. make LAYERS="base text" test
# TESTS    unit tests to build and run        e.g. make TESTS=test_arena test
# JOBS     tests to run at a time             default: as many as there are cores
# CUDA     0 leaves the CUDA back-end out     default: built where nvcc is
# CUDA_ARCHITECTURES                          default: 80 90 (and PTX for later ones)
# EMULATED     0 leaves out the GPU tests on the CPU; default: where CUDA's headers are

# The built-in rules are not used here, and looking through them takes seconds.
MAKEFLAGS += --no-builtin-rules

VARIANT ?= release
BUILD   ?= build/$(VARIANT)
LAYERS  ?= base backend text checkpoints model optim chat data_gen eval train ablate
PREFIX  ?= /usr/local

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(VARIANT),fuzz)
CC := clang
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wundef -Wcast-qual -Wwrite-strings -Wformat=2 -Wdouble-promotion -Wconversion \
	-Wno-sign-conversion -Werror
PACKAGES := libcjson libcyaml libcurl libpcre2-8 libutf8proc nettle zlib libzstd
CPPFLAGS += -I. -D_GNU_SOURCE $(shell pkg-config --cflags-only-I $(PACKAGES))
LDLIBS   += $(shell pkg-config --libs $(PACKAGES)) -lm
EMULATED_LDLIBS := $(LDLIBS) -lstdc++ -ldl -lpthread
# No -march: hot loops are compiled for several processors and chosen at run time.
CFLAGS   += -std=c11 $(WARNINGS) -g -fno-math-errno -ffp-contract=fast

ifeq ($(VARIANT),release)
CFLAGS  += -O3 -fopenmp
LDFLAGS += -fopenmp
else ifeq ($(VARIANT),asan)
CFLAGS  += -O1 -fopenmp -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -DNO_TARGET_CLONES
LDFLAGS += -fopenmp -fsanitize=address,undefined
else ifeq ($(VARIANT),fuzz)
CFLAGS  += -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-DNO_TARGET_CLONES -Wno-unknown-pragmas
LDFLAGS += -fsanitize=address,undefined
else
$(error VARIANT must be release, asan or fuzz, not '$(VARIANT)')
endif

NVCC ?= $(firstword $(shell command -v nvcc) $(wildcard /usr/local/cuda/bin/nvcc))
# The sanitizers do not know CUDA: their variants are built without.
CUDA ?= $(if $(NVCC),$(if $(filter release,$(VARIANT)),1,0),0)
CUDA_HOME := $(patsubst %/bin/nvcc,%,$(realpath $(NVCC)))
CUDA_ARCHITECTURES ?= 80 90
EMULATED ?= $(if $(wildcard $(CUDA_HOME)/include/cuda_runtime.h),$(if $(filter fuzz,$(VARIANT)),0,1),0)

ifeq ($(V),1)
Q :=
else
Q := @
MAKEFLAGS += --no-print-directory
endif

SOURCES := $(sort $(foreach layer,$(LAYERS),$(wildcard $(layer)/*.c $(layer)/*/*.c)))
ifeq ($(CUDA),1)
ifeq ($(NVCC),)
$(error CUDA=1 needs nvcc, which is neither on the PATH nor in /usr/local/cuda/bin: name it by NVCC=)
endif
SOURCES := $(filter-out backend/cuda_stub.c,$(SOURCES))
CUDA_SOURCES := $(sort $(wildcard backend/cuda/*.cu backend/cuda/*.cpp))
CUDNN_FRONTEND ?= $(wildcard build/cudnn-frontend/include)
last_architecture := $(lastword $(CUDA_ARCHITECTURES))
CUDA_TARGETS := $(foreach sm,$(CUDA_ARCHITECTURES),-gencode arch=compute_$(sm),code=sm_$(sm)) \
	-gencode arch=compute_$(last_architecture),code=compute_$(last_architecture)
CUDA_WARNINGS := -Wall,-Wextra,-Wshadow,-Wwrite-strings,-Wformat=2,-Werror
NVCCFLAGS += -std=c++17 -O3 -g -lineinfo $(CUDA_TARGETS) -Werror all-warnings \
	-Xcompiler $(CUDA_WARNINGS) -I. $(if $(CUDNN_FRONTEND),-isystem $(CUDNN_FRONTEND))
LDLIBS += -L$(CUDA_HOME)/lib64 -lcublasLt -lcudart_static -lstdc++ -ldl -lrt -lpthread
ifneq ($(CUDNN_FRONTEND),)
LDLIBS += -lcudnn
endif
endif
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) $(addprefix $(BUILD)/,$(addsuffix .o,$(CUDA_SOURCES)))
LIBRARY := $(BUILD)/libholdfast.a
BINARY  := $(BUILD)/holdfast
ALL_TESTS := $(basename $(notdir $(wildcard tests/unit/test_*.c tests/parity/test_*.c)))
TESTS   ?= $(ALL_TESTS)
GPU_TESTS ?= $(basename $(notdir $(wildcard tests/gpu/test_gpu_*.c)))
GPU_TEST_BINARIES := $(addprefix $(BUILD)/tests/,$(GPU_TESTS))
TEST_BINARIES := $(addprefix $(BUILD)/tests/,$(TESTS))
# The tests of the GPU, of a back-end that runs on the CPU (tests/gpu/emulator/emulator.h).
EMULATOR := tests/gpu/emulator
EMULATED_BUILD := $(BUILD)/emulated
EMULATED_SOURCES := $(sort $(wildcard backend/cuda/*.cu backend/cuda/*.cpp $(EMULATOR)/*.cpp))
EMULATED_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out backend/cuda_stub.c,$(SOURCES))) \
	$(EMULATED_SOURCES:%=$(EMULATED_BUILD)/%.o)
EMULATED_LIBRARY := $(EMULATED_BUILD)/libholdfast.a
EMULATED_TESTS := $(EMULATED_BUILD)/tests/test_emulator $(GPU_TESTS:%=$(EMULATED_BUILD)/tests/%)
# As nvcc: types are no reason to assume that addresses differ.
CXXFLAGS_EMULATED = -std=c++17 -O2 -ftree-vectorize -fvect-cost-model=dynamic -g -Wall -Wextra \
	-Werror $(filter -fsanitize% -fno-%,$(CFLAGS)) -fno-extern-tls-init -fno-strict-aliasing \
	-Wno-unknown-pragmas -I$(EMULATOR) -I. \
	-isystem $(CUDA_HOME)/include
# What `make test` adds to the tests that are named.
ifeq ($(TESTS)$(EMULATED),$(ALL_TESTS)1)
# Under the sanitizers without whole models, which take minutes there.
ALSO_TESTS := $(if $(filter asan,$(VARIANT)),$(filter-out %_model,$(EMULATED_TESTS)),$(EMULATED_TESTS))
EMULATED_BINARY := $(EMULATED_BUILD)/holdfast
endif
FUZZERS := $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c)))
C_FILES := $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h' 2>/dev/null)

.PHONY: help all test test-gpu test-gpu-emulated test-report asan fuzz format format-check tidy layers bench install clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BINARY) ## build the holdfast binary (the default)
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{printf "  %-14s %s\n", $$1, $$2}'

$(BINARY): $(BUILD)/holdfast.o $(LIBRARY)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(LIBRARY): $(OBJECTS)
	@echo "  AR   $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# Tests are compiled for longer than they run.
$(BUILD)/tests/%.o: CFLAGS += -O1

# Embedded with .incbin, which -MMD does not see.
$(BUILD)/eval/classifier_table.o: eval/classifier/weights.bin

$(BUILD)/%.cu.o: %.cu
	@mkdir -p $(@D)
	@echo "  NVCC $<"
	$(Q)$(NVCC) $(NVCCFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(BUILD)/%.cpp.o: %.cpp
	@mkdir -p $(@D)
	@echo "  NVCC $<"
	$(Q)$(NVCC) $(NVCCFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(LIBRARY)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcmocka -o $@

$(EMULATED_BUILD)/%.cu.o: %.cu $(EMULATOR)/launches.pl $(EMULATOR)/device.h
	@mkdir -p $(@D)
	@echo "  CXX  $< (emulated)"
	$(Q)$(EMULATOR)/launches.pl $< >$(@:.o=.cpp)
	$(Q)$(CXX) $(CXXFLAGS_EMULATED) -include $(EMULATOR)/device.h -MMD -MP -c $(@:.o=.cpp) -o $@

$(EMULATED_BUILD)/%.cpp.o: %.cpp
	@mkdir -p $(@D)
	@echo "  CXX  $< (emulated)"
	$(Q)$(CXX) $(CXXFLAGS_EMULATED) -MMD -MP -c $< -o $@

$(EMULATED_LIBRARY): $(EMULATED_OBJECTS)
	@echo "  AR   $@"
	$(Q)rm -f $@ && ar rcs $@ $^

# NCCL's functions are looked for by name.
LINK_EMULATED = $(CC) $(LDFLAGS) -Wl,-u,ncclSend,--export-dynamic-symbol='nccl*' $^ $(EMULATED_LDLIBS)

$(EMULATED_BUILD)/tests/%: $(BUILD)/tests/gpu/%.o $(EMULATED_LIBRARY)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(LINK_EMULATED) -lcmocka -o $@

$(EMULATED_BUILD)/tests/test_emulator: $(EMULATED_BUILD)/$(EMULATOR)/test_emulator.cu.o $(EMULATED_LIBRARY)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(LINK_EMULATED) -lcmocka -o $@

# The binary, for tests/cli/test-device.
$(EMULATED_BUILD)/holdfast: $(BUILD)/holdfast.o $(EMULATED_LIBRARY)
	@echo "  LINK $@"
	$(Q)$(LINK_EMULATED) -o $@

# The tests' own HTTP servers: one plays a model and fails on purpose, one serves files.
FAULT_SERVER := $(BUILD)/tests/fault_server
FILE_SERVER := $(BUILD)/tests/file_server
$(BUILD)/tests/test_http_chat $(FAULT_SERVER) $(FILE_SERVER): LDLIBS += -lmicrohttpd

$(FAULT_SERVER) $(FILE_SERVER): $(BUILD)/tests/%: $(BUILD)/tests/server/%.o $(LIBRARY)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/tests/%: $(BUILD)/tests/parity/%.o $(LIBRARY)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcmocka -o $@

$(BUILD)/tests/%: $(BUILD)/tests/gpu/%.o $(LIBRARY)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcmocka -o $@

# report.html in a headless Chromium.
REPORT_TEST := $(BUILD)/tests/test_report_page
$(REPORT_TEST): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/browser/*.c)) $(LIBRARY)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcmocka -o $@

# Objects of the GPU benchmarks beside the one with main(); scripts/gpu-session has them too.
$(BUILD)/bench/gpu_bench: $(addprefix $(BUILD)/scripts/bench/gpu/gpu_bench_,model.o packs.o train.o)
$(BUILD)/bench/gpu_operations: $(BUILD)/scripts/bench/gpu/gpu_measure.o
$(BUILD)/bench/%: $(BUILD)/scripts/bench/gpu/%.o $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) $(filter %.o,$^) $(LIBRARY) $(LDLIBS) -o $@

$(BUILD)/fuzzers/%: $(BUILD)/tests/fuzz/%.o $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer $^ $(LDLIBS) -o $@

test: $(TEST_BINARIES) $(REPORT_TEST) $(ALSO_TESTS) $(EMULATED_BINARY) $(BINARY) $(FAULT_SERVER) $(FILE_SERVER) ## build and run all tests
	$(Q)HOLDFAST=$(BINARY) FAULT_SERVER=$(abspath $(FAULT_SERVER)) \
		FILE_SERVER=$(abspath $(FILE_SERVER)) HOLDFAST_TEST_SMALL=1 HOLDFAST_TEST_DEVICE=cuda \
		HOLDFAST_EMULATED=$(abspath $(EMULATED_BINARY)) \
		scripts/run-tests $(TEST_BINARIES) $(REPORT_TEST) $(ALSO_TESTS)

test-report: $(REPORT_TEST) ## report.html in a headless Chromium (skips without one)
	$(Q)CLI=0 scripts/run-tests $(REPORT_TEST)

unit-test: $(TEST_BINARIES) $(ALSO_TESTS) ## build and run the C tests only (TESTS=name …)
	$(Q)CLI=0 HOLDFAST_TEST_SMALL=1 HOLDFAST_TEST_DEVICE=cuda \
		scripts/run-tests $(TEST_BINARIES) $(ALSO_TESTS)

test-gpu: $(GPU_TEST_BINARIES) ## CPU against CUDA, every operation (skips without a GPU)
	$(Q)CLI=0 scripts/run-tests $(GPU_TEST_BINARIES)

test-gpu-emulated: $(EMULATED_TESTS) ## the same on the CPU, kernels thread by thread (GPU_TESTS=name …)
	$(Q)CLI=0 HOLDFAST_TEST_DEVICE=cuda scripts/run-tests $(EMULATED_TESTS)

asan: ## all tests under the address and undefined-behaviour sanitizers
	$(Q)$(MAKE) VARIANT=asan test

fuzz: ## every fuzz target for FUZZ_SECONDS (60) each
	$(Q)$(MAKE) VARIANT=fuzz BUILD=build/fuzz fuzzers
	$(Q)scripts/run-fuzzers build/fuzz/fuzzers $(or $(FUZZ_SECONDS),60)

fuzzers: $(addprefix $(BUILD)/fuzzers/,$(FUZZERS))
.PHONY: fuzzers unit-test

format: ## rewrite all C files in the house format
	$(Q)clang-format -i $(C_FILES)

format-check:
	$(Q)clang-format --dry-run --Werror $(C_FILES)

tidy: ## run clang-tidy over all sources
	$(Q)clang-tidy --quiet $(SOURCES) holdfast.c -- $(CPPFLAGS) -std=c11

layers: ## fail on an include that goes upward in the tower
	$(Q)scripts/check-layers

bench: $(BINARY) ## run the benchmarks under scripts/bench/
	$(Q)for bench in scripts/bench/bench-*; do HOLDFAST=$(BINARY) $$bench || exit 1; done

install: $(BINARY) ## install to $(PREFIX)/bin, with completion for bash
	install -D -m 755 $(BINARY) "$(DESTDIR)$(PREFIX)/bin/holdfast"
	install -D -m 644 scripts/completion.bash \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/holdfast"

clean: ## remove build/
	$(Q)rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
