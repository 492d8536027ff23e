#ifndef EXPSYN_CORE_DOUBLE_DOUBLE_H_
#define EXPSYN_CORE_DOUBLE_DOUBLE_H_

#include <cstdint>
#include <cstring>

// Inlined everywhere, so that loops over arrays of them become vectors.
#define EXPSYN_DOUBLE_DOUBLE inline __attribute__((always_inline))

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

// sum + error = a + b exactly, for any numbers, or vectors of them. References, because a vector
// that the target's registers do not hold must not be returned.
template <typename T>
EXPSYN_DOUBLE_DOUBLE void TwoSum(const T& a, const T& b, T& sum, T& error) {
  sum = a + b;
  const T b_part = sum - a;
  error = (a - (sum - b_part)) + (b - b_part);
}

// a + b exactly, for any a and b.
EXPSYN_DOUBLE_DOUBLE DoubleDouble TwoSum(double a, double b) {
  DoubleDouble sum;
  TwoSum(a, b, sum.high, sum.low);
  return sum;
}

// a + b exactly, for |a| >= |b| or a == 0.
EXPSYN_DOUBLE_DOUBLE DoubleDouble QuickTwoSum(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

// a * b exactly, unless it overflows or underflows. Close to the ends of the range, where the
// halves of a factor would overflow or underflow, the rounded product.
EXPSYN_DOUBLE_DOUBLE DoubleDouble TwoProduct(double a, double b) {
  constexpr double kSplitter = 134217729.0;  // 2^27 + 1
  constexpr double kMin = 0x1p-960;
  constexpr double kMax = 0x1p+990;
  const double a_size = a < 0 ? -a : a;
  const double b_size = b < 0 ? -b : b;
  const bool has_halves = a_size > kMin && b_size > kMin && a_size < kMax && b_size < kMax;
  const double a_scaled = kSplitter * a;
  const double a_high = a_scaled - (a_scaled - a);
  const double a_low = a - a_high;
  const double b_scaled = kSplitter * b;
  const double b_high = b_scaled - (b_scaled - b);
  const double b_low = b - b_high;
  const double product = a * b;
  const double low =
      ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
  return {product, has_halves ? low : 0};
}

EXPSYN_DOUBLE_DOUBLE DoubleDouble operator+(DoubleDouble a, double b) {
  const DoubleDouble sum = TwoSum(a.high, b);
  return QuickTwoSum(sum.high, sum.low + a.low);
}

EXPSYN_DOUBLE_DOUBLE DoubleDouble operator+(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble sum = TwoSum(a.high, b.high);
  return QuickTwoSum(sum.high, sum.low + (a.low + b.low));
}

EXPSYN_DOUBLE_DOUBLE DoubleDouble operator-(DoubleDouble a) { return {-a.high, -a.low}; }

EXPSYN_DOUBLE_DOUBLE DoubleDouble operator*(DoubleDouble a, double b) {
  const DoubleDouble product = TwoProduct(a.high, b);
  return QuickTwoSum(product.high, product.low + a.low * b);
}

EXPSYN_DOUBLE_DOUBLE DoubleDouble operator*(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble product = TwoProduct(a.high, b.high);
  return QuickTwoSum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

// The quotient a / b.
EXPSYN_DOUBLE_DOUBLE DoubleDouble Quotient(double a, double b) {
  const double high = a / b;
  const DoubleDouble back = TwoProduct(high, b);
  return QuickTwoSum(high, ((a - back.high) - back.low) / b);
}

// The quotient of positive numbers of any size: in Quotient(), products of very large ones
// overflow.
EXPSYN_DOUBLE_DOUBLE DoubleDouble QuotientOfPositive(double a, double b) {
  const double scale = a > 0x1p900 || b > 0x1p900 ? 0x1p-200 : 1.0;
  return Quotient(a * scale, b * scale);
}

inline constexpr DoubleDouble kLn2{0.6931471805599453, 2.3190468138462996e-17};

// exp(x) for x <= 0 to about 23 digits, without a branch, by x = k ln 2 + 128 r, the Taylor series
// of exp(r) and seven squarings. Results under the smallest normal double are 0.
EXPSYN_DOUBLE_DOUBLE DoubleDouble ExpOfNegative(DoubleDouble x) {
  constexpr double kSmallestExponent = -708.0;
  // Adding this rounds to an integer, which is then in the low bits.
  constexpr double kRounder = 0x1.8p52;
  const bool is_zero = !(x.high > kSmallestExponent);
  x.high = is_zero ? 0 : x.high;
  x.low = is_zero ? 0 : x.low;
  const double rounded = x.high / kLn2.high + kRounder;
  const double k = rounded - kRounder;
  const DoubleDouble reduced = x + kLn2 * -k;
  const DoubleDouble r{reduced.high / 128, reduced.low / 128};
  // |r| < 3e-3. From r^3 on, plain arithmetic is enough.
  const double h = r.high;
  const double tail =
      h * h * h *
      (1.0 / 6 +
       h * (1.0 / 24 + h * (1.0 / 120 + h * (1.0 / 720 + h * (1.0 / 5040 + h * (1.0 / 40320))))));
  const DoubleDouble square = r * r;
  DoubleDouble series = (r + DoubleDouble{square.high / 2, square.low / 2} + tail) + 1.0;
  for (int squaring = 0; squaring < 7; ++squaring) series = series * series;
  std::uint64_t bits;
  std::memcpy(&bits, &rounded, sizeof(bits));
  // The low bits of `rounded` are k; shifted, they are added to the exponent of 1.
  bits = (bits << 52) + 0x3FF0000000000000;
  double power;
  std::memcpy(&power, &bits, sizeof(power));
  power = is_zero ? 0 : power;
  return {series.high * power, series.low * power};
}

}  // namespace expsyn

#undef EXPSYN_DOUBLE_DOUBLE

#endif  // EXPSYN_CORE_DOUBLE_DOUBLE_H_
