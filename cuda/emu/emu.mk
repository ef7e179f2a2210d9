# Called by build.sh, which sets HERE, ROOT, OUT, OBJ, CUDA_HOME, EXTRA, KERNELS and CXX.

# No contraction: a*b+c must round twice. No -ffast-math, which flushes subnormals for the whole process.
BASE   := -std=c++17 -O2 -g -fPIC -fvisibility=hidden -ffp-contract=off -Wall -Wextra -Wno-unknown-pragmas -Wno-maybe-uninitialized
FLAGS  := $(BASE) $(EXTRA)
# The emulator itself is compiled without the sanitizers (see run.h), and with no extra flags: what does not know of them is
# compiled once for all.
KNOWS  := $(if $(filter -fsanitize=address,$(EXTRA)),-DEMU_ASAN=1) $(if $(filter -fsanitize=thread,$(EXTRA)),-DEMU_TSAN=1)
OWN    := $(BASE) $(KNOWS) -I$(CUDA_HOME)/include

AWARE   := fiber warp shared launch memory
SOURCES := $(wildcard $(HERE)/*.cpp)
HEADERS := $(wildcard $(HERE)/*.h)
CUH     := $(wildcard $(ROOT)/cuda/*.cuh) $(wildcard $(dir $(firstword $(KERNELS)))*.cuh)
OBJECTS := $(foreach s,$(SOURCES:$(HERE)/%.cpp=%),$(if $(filter $(AWARE),$(s)),$(OBJ),$(OBJ)/../common)/$(s).o)
# A kernel file's object is named by its path, so that one of the same name in another folder is another object.
kernel_object = $(OBJ)/$(subst /,+,$(1:/%.cu=%)).k.o
KERNEL_OBJECTS := $(foreach k,$(KERNELS),$(call kernel_object,$(k)))

# A list of what is linked, so that a .cu file that is gone is gone from the library.
LIST := $(subst /,+,$(OUT)).list
ifneq ($(shell cat "$(OBJ)/$(LIST)" 2>/dev/null),$(KERNEL_OBJECTS))
$(shell mkdir -p "$(OBJ)" && echo "$(KERNEL_OBJECTS)" > "$(OBJ)/$(LIST)")
endif

$(OUT): $(OBJECTS) $(KERNEL_OBJECTS) $(HERE)/emu.map $(OBJ)/$(LIST)
	@mkdir -p $(@D)
	$(CXX) $(FLAGS) -shared -Wl,-Bsymbolic -Wl,-z,noexecstack -Wl,--version-script=$(HERE)/emu.map -o $@.part $(OBJECTS) $(KERNEL_OBJECTS)
	sed -nE 's/^EMU_KERNEL\(([^,]*).*/\1/p' $(KERNEL_OBJECTS:=.cc) > $@.kernels
	mv $@.part $@

define own_rule
$(1): $(HERE)/$(notdir $(1:.o=.cpp)) $(HEADERS) $(HERE)/emu.mk
	@mkdir -p $$(@D)
	$(CXX) $(OWN) -c -o $$@ $$<
endef
$(foreach o,$(OBJECTS),$(eval $(call own_rule,$(o))))

# Each .cu file is a program of its own, as for nvcc: after compilation its names are made local to its object, or two files'
# inline functions and templates of one name would become one function.
KCXX := $(CXX) -x c++ -I$(ROOT)/cuda -include $(HERE)/shim.h
define kernel_rule
$(call kernel_object,$(1)): $(1) $(CUH) $(HEADERS) $(HERE)/emu.mk $(if $(filter %/resident.cu,$(1)),$(wildcard $(dir $(1))*.cu))
	@mkdir -p $$(@D)
	$(KCXX) -std=c++17 -DEMU_SCAN -E -P $$< > $$@.i
	@{ echo '#include "$$<"'; tr '\n' ' ' < $$@.i | sed 's/EMU_GLOBAL/\n&/g' | sed -nE 's/^EMU_GLOBAL +void +EMU_BEGIN (.*) EMU_END +([A-Za-z_0-9]+) *\(.*/EMU_KERNEL(\2, \1)/p'; } > $$@.cc
	@test $$$$(grep -c EMU_KERNEL $$@.cc) = $$$$(grep -o EMU_GLOBAL $$@.i | wc -l) || { echo "$$<: a __global__ function without KERNEL(threads)"; exit 1; }
	$(KCXX) $(FLAGS) -I$$(dir $$<) -c -o $$@.o $$@.cc
	ld -r --force-group-allocation -o $$@.r $$@.o
	objcopy --localize-hidden $$@.r $$@
	@rm -f $$@.r $$@.o $$@.i
endef
$(foreach k,$(KERNELS),$(eval $(call kernel_rule,$(k))))
