/* Bodies of bool, stored as a byte that is 0 or 1: numbers modulo nothing, so a sum is `or`, a
   difference `xor`. */
/* clang-format off */
#ifndef MICA_KERNEL_BOOL_H
#define MICA_KERNEL_BOOL_H

#include "kernel/body.h"

MICA_BODY uint8_t k_abs_b8(uint8_t a) { return a; }
MICA_BODY uint8_t k_sign_b8(uint8_t a) { return a; }
MICA_BODY uint8_t k_ceil_b8(uint8_t a) { return a; }
MICA_BODY uint8_t k_floor_b8(uint8_t a) { return a; }
MICA_BODY uint8_t k_trunc_b8(uint8_t a) { return a; }
MICA_BODY uint8_t k_rint_b8(uint8_t a) { return a; }
MICA_BODY uint8_t k_square_b8(uint8_t a) { return a; }
MICA_BODY uint8_t k_conjugate_b8(uint8_t a) { return a; }
MICA_BODY uint8_t k_real_b8(uint8_t a) { return a; }
MICA_BODY uint8_t k_imag_b8(uint8_t a) { return a & 0; }
MICA_BODY uint8_t k_logical_not_b8(uint8_t a) { return a ^ 1; }
MICA_BODY uint8_t k_bitwise_invert_b8(uint8_t a) { return a ^ 1; }
MICA_BODY uint8_t k_isnan_b8(uint8_t a) { return a & 0; }
MICA_BODY uint8_t k_isinf_b8(uint8_t a) { return a & 0; }
MICA_BODY uint8_t k_isfinite_b8(uint8_t a) { return a | 1; }
MICA_BODY uint8_t k_isposinf_b8(uint8_t a) { return a & 0; }
MICA_BODY uint8_t k_isneginf_b8(uint8_t a) { return a & 0; }

MICA_BODY uint8_t k_add_b8(uint8_t a, uint8_t b) { return a | b; }
MICA_BODY uint8_t k_subtract_b8(uint8_t a, uint8_t b) { return a ^ b; }
MICA_BODY uint8_t k_multiply_b8(uint8_t a, uint8_t b) { return a & b; }
/* As for integers: a quotient by 0 is 0, a remainder by 0 the dividend. */
MICA_BODY uint8_t k_floor_divide_b8(uint8_t a, uint8_t b) { return a & b; }
MICA_BODY uint8_t k_remainder_b8(uint8_t a, uint8_t b) { return a & (b ^ 1); }
MICA_BODY uint8_t k_power_b8(uint8_t a, uint8_t b) { return a | (b ^ 1); }
MICA_BODY uint8_t k_maximum_b8(uint8_t a, uint8_t b) { return a | b; }
MICA_BODY uint8_t k_minimum_b8(uint8_t a, uint8_t b) { return a & b; }
MICA_BODY uint8_t k_equal_b8(uint8_t a, uint8_t b) { return a ^ b ^ 1; }
MICA_BODY uint8_t k_not_equal_b8(uint8_t a, uint8_t b) { return a ^ b; }
MICA_BODY uint8_t k_less_b8(uint8_t a, uint8_t b) { return (a ^ 1) & b; }
MICA_BODY uint8_t k_less_equal_b8(uint8_t a, uint8_t b) { return (a ^ 1) | b; }
MICA_BODY uint8_t k_greater_b8(uint8_t a, uint8_t b) { return a & (b ^ 1); }
MICA_BODY uint8_t k_greater_equal_b8(uint8_t a, uint8_t b) { return a | (b ^ 1); }
MICA_BODY uint8_t k_logical_and_b8(uint8_t a, uint8_t b) { return a & b; }
MICA_BODY uint8_t k_logical_or_b8(uint8_t a, uint8_t b) { return a | b; }
MICA_BODY uint8_t k_bitwise_and_b8(uint8_t a, uint8_t b) { return a & b; }
MICA_BODY uint8_t k_bitwise_or_b8(uint8_t a, uint8_t b) { return a | b; }
MICA_BODY uint8_t k_bitwise_xor_b8(uint8_t a, uint8_t b) { return a ^ b; }
/* Shifts of bools are numbers, of type uint8: the builder says so. */
MICA_BODY uint8_t k_left_shift_b8(uint8_t a, uint8_t b) { return (uint8_t)(a << b); }
MICA_BODY uint8_t k_right_shift_b8(uint8_t a, uint8_t b) { return (uint8_t)(a >> b); }

#endif
