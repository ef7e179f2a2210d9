// Writes occupancy.txt: what NVIDIA's own calculator, the header cuda_occupancy.h of the toolkit, says for each compute capability
// that kernels are built for. Limits of the devices: CUDA programming guide, "Technical Specifications per Compute Capability".
//
//	g++ -I$CUDA_HOME/include -o /tmp/occupancy occupancy.cpp && /tmp/occupancy > occupancy.txt
#include <cuda_runtime_api.h>

#include <cuda_occupancy.h>

#include <cstdio>

struct Card { const char *arch; int major, minor, warps, shared; };  // shared: KiB an SM; a block may have 1 KiB less

int main() {
  const Card cards[] = {{"sm_80", 8, 0, 64, 164}, {"sm_90a", 9, 0, 64, 228}, {"sm_100", 10, 0, 64, 228}, {"sm_120", 12, 0, 48, 100}};
  const int threads[] = {1, 33, 64, 128, 160, 256, 512, 1000, 1024};
  const int shared[] = {0, 1, 1024, 8305, 25600, 49152, 101376};
  printf("# cuda_occupancy.h of CUDA %d.%d: blocks that an SM holds, for these registers a thread\narch threads shared", CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
  const int registers[] = {16, 24, 32, 33, 40, 41, 48, 56, 64, 65, 72, 80, 81, 96, 104, 120, 128, 129, 160, 168, 200, 255};
  for (int r : registers) printf(" %d", r);
  printf("\n");
  for (const Card &c : cards)
    for (int t : threads)
      for (int s : shared) {
        printf("%s %d %d", c.arch, t, s);
        for (int r : registers) {
          cudaOccDeviceProp p = {};
          p.computeMajor = c.major;
          p.computeMinor = c.minor;
          p.maxThreadsPerBlock = 1024;
          p.maxThreadsPerMultiprocessor = 32 * c.warps;
          p.regsPerBlock = p.regsPerMultiprocessor = 65536;
          p.warpSize = 32;
          p.sharedMemPerBlock = 49152;
          p.sharedMemPerMultiprocessor = c.shared * 1024;
          p.sharedMemPerBlockOptin = (c.shared - 1) * 1024;
          p.reservedSharedMemPerBlock = 1024;
          p.numSms = 1;
          cudaOccFuncAttributes f = {};
          f.maxThreadsPerBlock = 1024;
          f.numRegs = r;
          f.sharedSizeBytes = s;
          f.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
          f.partitionedGCConfig = PARTITIONED_GC_OFF;
          f.numBlockBarriers = 1;
          cudaOccDeviceState state = {};
          cudaOccResult result;
          if (cudaOccMaxActiveBlocksPerMultiprocessor(&result, &p, &f, &state, t, 0) != CUDA_OCC_SUCCESS) return 1;
          printf(" %d", result.activeBlocksPerMultiprocessor);
        }
        printf("\n");
      }
}
