// A management library of one card, for tests: the functions of libnvidia-ml.so.1 that gpu/telemetry_nvml.go calls, with made-up
// values, but for one that the library lacks (nvmlDeviceGetMigMode) and one that the card does not support.
// In the environment, NVML_INIT is the result of nvmlInit_v2, NVML_PLACE the only place at which a card is found.
#include <nvml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nvmlReturn_t set(unsigned *to, unsigned value) {
	*to = value;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlInit_v2(void) {
	const char *result = getenv("NVML_INIT");
	return result ? atoi(result) : NVML_SUCCESS;
}
const char *nvmlErrorString(nvmlReturn_t r) {
	return r == NVML_ERROR_NOT_SUPPORTED ? "Not Supported" : r == NVML_ERROR_NOT_FOUND ? "Not Found" : "made up";
}
nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned length) {
	strncpy(version, "580.95.05", length);
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *place, nvmlDevice_t *d) {
	memset(d, 0, sizeof *d);
	const char *only = getenv("NVML_PLACE");
	return !only || strcmp(place, only) == 0 ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}
nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t d, nvmlClockType_t type, unsigned *mhz) { return set(mhz, type == NVML_CLOCK_SM ? 1755 : type == NVML_CLOCK_MEM ? 2619 : 0); }
nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t d, nvmlClockType_t type, unsigned *mhz) { return set(mhz, type == NVML_CLOCK_SM ? 1980 : type == NVML_CLOCK_MEM ? 2620 : 0); }
nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t d, unsigned *mw) { return set(mw, 123456); }
// In the environment, NVML_ENERGY is a file: it grows by a byte with each question, and of each byte the card has used 1.5 J.
nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t d, unsigned long long *mj) {
	const char *path = getenv("NVML_ENERGY");
	FILE *f = path ? fopen(path, "a") : NULL;
	if (!f) return NVML_ERROR_NOT_SUPPORTED;
	fputc('.', f);
	*mj = 1500ull * ftell(f);
	fclose(f);
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t d, unsigned *mw) { return set(mw, 700000); }
nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t d, nvmlTemperatureSensors_t sensor, unsigned *c) { return set(c, sensor == NVML_TEMPERATURE_GPU ? 41 : 0); }
nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t d, nvmlMemory_t *m) {
	*m = (nvmlMemory_t){.total = 85899345920, .free = 80530636800, .used = 5368709120};
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t d, nvmlEnableState_t *current, nvmlEnableState_t *pending) {
	*current = NVML_FEATURE_ENABLED, *pending = NVML_FEATURE_DISABLED;
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetCurrPcieLinkGeneration(nvmlDevice_t d, unsigned *gen) { return set(gen, 4); }
nvmlReturn_t nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t d, unsigned *gen) { return set(gen, 5); }
nvmlReturn_t nvmlDeviceGetCurrPcieLinkWidth(nvmlDevice_t d, unsigned *lanes) { return set(lanes, 8); }
nvmlReturn_t nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t d, unsigned *lanes) { return NVML_ERROR_NOT_SUPPORTED; }
nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t d, unsigned long long *reasons) {
	*reasons = nvmlClocksEventReasonSwPowerCap | nvmlClocksThrottleReasonHwThermalSlowdown;
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t d, unsigned *count, nvmlProcessInfo_t *infos) {
	if (*count < 2) return set(count, 2), NVML_ERROR_INSUFFICIENT_SIZE;
	memset(infos, 0, 2 * sizeof *infos);
	return set(count, 2);
}
