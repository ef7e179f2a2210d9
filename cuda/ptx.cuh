// All inline PTX, shared memory, and the only place that knows of the emulator (LOCKSTEP_EMU: see emu/shim.h, which is
// included before anything else and defines what nvcc has built in).
#pragma once
#include <cstdint>

#ifndef LOCKSTEP_EMU
#define SHARED(T, name, dims) __shared__ T name dims
#define DYN_SHARED(T, name)                                          \
  extern __shared__ __align__(16) unsigned char lockstep_dynamic_[]; \
  T *name = reinterpret_cast<T *>(lockstep_dynamic_)
#endif
