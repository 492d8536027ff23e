#ifndef EXPSYN_CORE_DOUBLE_DOUBLE_H_
#define EXPSYN_CORE_DOUBLE_DOUBLE_H_

#include <cmath>

namespace expsyn {

// An unevaluated sum high + low with |low| <= ulp(high) / 2: about 32 significant decimal digits.
//
// Sum and product are the error-free transformations of Knuth (1969) and Dekker (1971). They use
// no fused multiply-add, so that every processor computes the same bits, and they need a compiler
// that neither reassociates nor contracts floating-point expressions.
struct DoubleDouble {
  double high = 0;
  double low = 0;
};

// a + b exactly, for any a and b.
inline DoubleDouble TwoSum(double a, double b) {
  const double sum = a + b;
  const double b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}

// a + b exactly, for |a| >= |b| or a == 0.
inline DoubleDouble QuickTwoSum(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

// a * b exactly, unless it overflows or underflows.
inline DoubleDouble TwoProduct(double a, double b) {
  constexpr double kSplitter = 134217729.0;  // 2^27 + 1
  const double a_scaled = kSplitter * a;
  const double a_high = a_scaled - (a_scaled - a);
  const double a_low = a - a_high;
  const double b_scaled = kSplitter * b;
  const double b_high = b_scaled - (b_scaled - b);
  const double b_low = b - b_high;
  const double product = a * b;
  return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

inline DoubleDouble operator+(DoubleDouble a, double b) {
  const DoubleDouble sum = TwoSum(a.high, b);
  return QuickTwoSum(sum.high, sum.low + a.low);
}

inline DoubleDouble operator+(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble sum = TwoSum(a.high, b.high);
  return QuickTwoSum(sum.high, sum.low + (a.low + b.low));
}

inline DoubleDouble operator-(DoubleDouble a) { return {-a.high, -a.low}; }

inline DoubleDouble operator*(DoubleDouble a, double b) {
  const DoubleDouble product = TwoProduct(a.high, b);
  return QuickTwoSum(product.high, product.low + a.low * b);
}

inline DoubleDouble operator*(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble product = TwoProduct(a.high, b.high);
  return QuickTwoSum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

// The quotient a / b.
inline DoubleDouble Quotient(double a, double b) {
  const double high = a / b;
  const DoubleDouble back = TwoProduct(high, b);
  return QuickTwoSum(high, ((a - back.high) - back.low) / b);
}

// exp(x) for x <= 0, by x = k ln 2 + 512 r, the Taylor series of exp(r) and nine squarings.
// Results under the smallest normal double are 0.
inline DoubleDouble ExpOfNegative(DoubleDouble x) {
  constexpr DoubleDouble kLn2{0.6931471805599453, 2.3190468138462996e-17};
  constexpr double kSmallestExponent = -708.0;
  if (!(x.high > kSmallestExponent)) return {0, 0};
  const double k = std::nearbyint(x.high / kLn2.high);
  const DoubleDouble reduced = x + kLn2 * -k;
  const DoubleDouble r{reduced.high / 512, reduced.low / 512};
  // |r| < 7e-4: eight terms leave a relative error under 1e-30.
  DoubleDouble series{1, 0};
  for (int n = 8; n >= 1; --n) {
    const DoubleDouble inverse = Quotient(1.0, n);
    series = r * inverse * series + 1.0;
  }
  for (int squaring = 0; squaring < 9; ++squaring) series = series * series;
  const int exponent = static_cast<int>(k);
  return {std::ldexp(series.high, exponent), std::ldexp(series.low, exponent)};
}

}  // namespace expsyn

#endif  // EXPSYN_CORE_DOUBLE_DOUBLE_H_
