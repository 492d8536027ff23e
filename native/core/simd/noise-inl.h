#ifndef EXPSYN_CORE_SIMD_NOISE_INL_H_
#define EXPSYN_CORE_SIMD_NOISE_INL_H_

#include "simd/noise.h"
#include "simd/normal_numbers-inl.h"
#include "simd/philox-inl.h"
#include "simd/streams-inl.h"
#include "simd/vectors-inl.h"

namespace expsyn::simd::EXPSYN_SIMD_SET {

// Philox blocks that are computed together. The loops over them have no branches, so that the
// compiler vectorises them.
constexpr int kBlocks = 32;

// The counters of some blocks, then their random words; in the low halves of the elements.
struct Blocks {
  alignas(64) std::uint64_t word[4][kBlocks];
};

EXPSYN_INLINE std::uint32_t WordOf(const Blocks& blocks, int word, int block) {
  return static_cast<std::uint32_t>(blocks.word[word][block]);
}

constexpr int kPerBlock = 4;  // normal numbers

// The normal numbers of each block, block after block.
template <typename Real>
EXPSYN_INLINE void Normals(const Blocks& blocks, Real* normals) {
  alignas(64) Real columns[kPerBlock][kBlocks];
  for (int pair = 0; pair < kPerBlock / 2; ++pair) {
    for (int i = 0; i < kBlocks; ++i) {
      const NormalPair<Real> two =
          MakePair(WordOf(blocks, 2 * pair, i), WordOf(blocks, 2 * pair + 1, i), Real{});
      columns[2 * pair][i] = two.cosine;
      columns[2 * pair + 1][i] = two.sine;
    }
  }
  for (int i = 0; i < kBlocks; ++i) {
    for (int j = 0; j < kPerBlock; ++j) normals[kPerBlock * i + j] = columns[j][i];
  }
}

// The positions of kBlocks consecutive blocks of rows of blocks_per_row blocks.
struct BlockPositions {
  alignas(64) std::uint64_t row[kBlocks];
  alignas(64) std::uint64_t block[kBlocks];  // within its row

  explicit BlockPositions(std::uint64_t blocks_per_row) {
    std::uint64_t row_here = 0;
    std::uint64_t block_here = 0;
    for (int i = 0; i < kBlocks; ++i) {
      row[i] = row_here;
      block[i] = block_here;
      if (++block_here == blocks_per_row) {
        block_here = 0;
        ++row_here;
      }
    }
  }

  // Moves all positions on by kBlocks blocks, which are more_rows rows and more_blocks blocks.
  void Advance(std::uint64_t blocks_per_row, std::uint64_t more_rows, std::uint64_t more_blocks) {
    for (int i = 0; i < kBlocks; ++i) {
      const std::uint64_t here = block[i] + more_blocks;
      const std::uint64_t is_next_row = here >= blocks_per_row ? 1 : 0;
      block[i] = here - (is_next_row != 0 ? blocks_per_row : 0);
      row[i] += more_rows + is_next_row;
    }
  }
};

template <typename Real>
EXPSYN_INLINE void AddScaled(const Real* base, const Real* normals, Real scale, std::int64_t size,
                             Real* target) {
  for (std::int64_t i = 0; i < size; ++i) target[i] = base[i] + scale * normals[i];
}

template <typename Real>
void AddNormals(const NormalPlaces& places, const Real* base, Real* target) {
  constexpr int kSize = kPerBlock * kBlocks;
  const auto scale = static_cast<Real>(places.scale);
  const std::int64_t first_column = places.synapse;
  const std::int64_t end_column = first_column + places.n_columns;
  const std::int64_t first_block = first_column / kPerBlock;
  const std::int64_t blocks_per_row = (end_column - 1) / kPerBlock - first_block + 1;
  const bool is_contiguous = places.stride == places.n_columns && first_column % kPerBlock == 0 &&
                             end_column % kPerBlock == 0;
  const std::int64_t n_blocks = places.n_rows * blocks_per_row;
  const auto per_row = static_cast<std::uint64_t>(blocks_per_row);
  const std::uint64_t more_rows = kBlocks / per_row;
  const std::uint64_t more_blocks = kBlocks % per_row;
  const int stream_width = places.is_streamed && is_contiguous ? StreamWidth(target) : 0;
  const auto* ahead = static_cast<const char*>(places.ahead);
  const std::int64_t ahead_step = places.ahead_bytes * kBlocks / n_blocks;

  BlockPositions positions(per_row);
  Blocks blocks;
  alignas(64) Real normals[kPerBlock * kBlocks];
  std::int64_t row = 0;
  std::int64_t block = 0;  // within its row
  for (std::int64_t made = 0; made < n_blocks; made += kBlocks) {
    for (int i = 0; i < kBlocks; ++i) {
      const std::uint64_t step = places.step + positions.row[i];
      blocks.word[0][i] = step;
      blocks.word[1][i] = step >> 32;
      blocks.word[2][i] = static_cast<std::uint64_t>(first_block) + positions.block[i];
      blocks.word[3][i] = places.batch;
    }
    for (int i = 0; i < kBlocks; i += kWords) {
      Words word[4];
      for (int w = 0; w < 4; ++w) Load(blocks.word[w] + i, word[w]);
      PhiloxRounds(word, places.seed);
      for (int w = 0; w < 4; ++w) Store(word[w], blocks.word[w] + i);
    }
    // Memory is read ahead while the numbers are computed.
    for (std::int64_t byte = 0; byte < ahead_step; byte += 64) __builtin_prefetch(ahead + byte);
    ahead += ahead_step;
    Normals(blocks, normals);
    const std::int64_t n_left = n_blocks - made;
    const std::int64_t n_here = n_left < kBlocks ? n_left : kBlocks;
    if (n_left > kBlocks) positions.Advance(per_row, more_rows, more_blocks);
    if (is_contiguous) {
      const Real* from = base + made * kPerBlock;
      Real* to = target + made * kPerBlock;
      if (n_here == kBlocks && stream_width > 0) {
        StreamVectors(stream_width, ScaledSum<Real>{from, normals, scale}, kSize, to);
      } else {
        AddScaled(from, normals, scale, n_here * kPerBlock, to);
      }
      continue;
    }
    // Row by row, only the requested columns.
    for (std::int64_t i = 0; i < n_here;) {
      const std::int64_t in_row = blocks_per_row - block;
      const std::int64_t n_run = in_row < n_here - i ? in_row : n_here - i;
      const std::int64_t run_column = (first_block + block) * kPerBlock;
      const std::int64_t run_end = run_column + n_run * kPerBlock;
      const std::int64_t from = run_column > first_column ? run_column : first_column;
      const std::int64_t to = run_end < end_column ? run_end : end_column;
      const std::int64_t place = row * places.stride + (from - first_column);
      AddScaled(base + place, normals + i * kPerBlock + (from - run_column), scale, to - from,
                target + place);
      i += n_run;
      block += n_run;
      if (block == blocks_per_row) {
        block = 0;
        ++row;
      }
    }
  }
}

template <typename Real>
constexpr NoiseOps<Real> kNoiseOps{AddNormals<Real>};

}  // namespace expsyn::simd::EXPSYN_SIMD_SET

#endif  // EXPSYN_CORE_SIMD_NOISE_INL_H_
