// Code generated from op.Constants by go run ./cuda/gen. DO NOT EDIT.
#pragma once
#include <cstdint>

// shared
constexpr float ROUND1 = 0x1.8p+23f; // 4b400000
constexpr float ROUND_HALF = 0x1.8p+22f; // 4ac00000
constexpr float ROUND2 = 0x1p+24f; // 4b800000
constexpr float LN2_HI = 0x1.62e4p-01f; // 3f317200
constexpr float LN2_LO = 0x1.7f7d1cp-20f; // 35bfbe8e

// exp
constexpr float EXP_LOG2E = 0x1.715476p+00f; // 3fb8aa3b
constexpr float EXP_MIN = -0x1.ap+06f; // c2d00000
constexpr float EXP_MAX = 0x1.64p+06f; // 42b20000
constexpr float EXP_Q0 = 0x1p-01f; // 3f000000
constexpr float EXP_Q1 = 0x1.555554p-03f; // 3e2aaaaa
constexpr float EXP_Q2 = 0x1.5554ecp-05f; // 3d2aaa76
constexpr float EXP_Q3 = 0x1.111328p-07f; // 3c088994
constexpr float EXP_Q4 = 0x1.6d4842p-10f; // 3ab6a421
constexpr float EXP_Q5 = 0x1.9dc30ep-13f; // 394ee187

// log
constexpr uint32_t LOG_LOWEST = 0x3f2aaaabu;
constexpr float LOG_SCALE = 0x1p+23f; // 4b000000
constexpr float LOG_L0 = 0x1.555556p-02f; // 3eaaaaab
constexpr float LOG_L1 = -0x1.ffff18p-03f; // be7fff8c
constexpr float LOG_L2 = 0x1.9997eep-03f; // 3e4ccbf7
constexpr float LOG_L3 = -0x1.55978cp-03f; // be2acbc6
constexpr float LOG_L4 = 0x1.24eb6ep-03f; // 3e1275b7
constexpr float LOG_L5 = -0x1.f3b02ep-04f; // bdf9d817
constexpr float LOG_L6 = 0x1.b91ef8p-04f; // 3ddc8f7c
constexpr float LOG_L7 = -0x1.06c2bp-03f; // be036158
constexpr float LOG_L8 = 0x1.e9d19cp-04f; // 3df4e8ce

// tanh
constexpr float TANH_SPLIT = 0x1p+00f; // 3f800000
constexpr float TANH_MAX = 0x1.4p+03f; // 41200000
constexpr float TANH_T0 = -0x1.555552p-02f; // beaaaaa9
constexpr float TANH_T1 = 0x1.11103ap-03f; // 3e08881d
constexpr float TANH_T2 = -0x1.b9f65ap-05f; // bd5cfb2d
constexpr float TANH_T3 = 0x1.64ba8ap-06f; // 3cb25d45
constexpr float TANH_T4 = -0x1.18bbf8p-07f; // bc0c5dfc
constexpr float TANH_T5 = 0x1.8ed352p-09f; // 3b4769a9
constexpr float TANH_T6 = -0x1.ac8f8p-11f; // ba5647c0
constexpr float TANH_T7 = 0x1.e2f164p-14f; // 38f178b2

// sinpi
constexpr float SIN_PI = 0x1.921fb6p+01f; // 40490fdb
constexpr float SIN_PI_LO = -0x1.777a5cp-24f; // b3bbbd2e
constexpr float SIN_S0 = -0x1.4abbcep+02f; // c0a55de7
constexpr float SIN_S1 = 0x1.466b78p+01f; // 402335bc
constexpr float SIN_S2 = -0x1.32adccp-01f; // bf1956e6
constexpr float SIN_S3 = 0x1.445104p-04f; // 3da22882
constexpr float COS_HI = -0x1.3bd3ccp+02f; // c09de9e6
constexpr float COS_LO = -0x1.37c8bcp-23f; // b41be45e
constexpr float COS_C0 = 0x1.03c1e8p+02f; // 4081e0f4
constexpr float COS_C1 = -0x1.55c9dep+00f; // bfaae4ef
constexpr float COS_C2 = 0x1.dac7d4p-03f; // 3e6d63ea
