// The uniform random numbers of `pixelrnn sample --seed N`: ChaCha with 8 rounds, one stream per image.

const rotate = (v, n) => (v << n) | (v >>> (32 - n));

// Expands a 64-bit seed to a 256-bit key, with PCG32.
function key(seed) {
  const mask = (1n << 64n) - 1n;
  let state = BigInt.asUintN(64, BigInt(seed));
  return Uint32Array.from({ length: 8 }, () => {
    state = (state * 6364136223846793005n + 11634580027462260723n) & mask;
    const shifted = Number(((((state >> 18n) ^ state) >> 27n) & 0xffffffffn));
    const turn = Number(state >> 59n);
    return turn === 0 ? shifted : (shifted >>> turn) | (shifted << (32 - turn));
  });
}

// One block of 16 words.
function block(key, counter, stream) {
  const start = Uint32Array.of(
    0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, ...key, counter, 0, stream[0], stream[1],
  );
  const s = Uint32Array.from(start);
  const quarter = (a, b, c, d) => {
    s[a] += s[b]; s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d]; s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b]; s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d]; s[b] = rotate(s[b] ^ s[c], 7);
  };
  for (let round = 0; round < 8; round += 2) {
    for (let i = 0; i < 4; i++) quarter(i, 4 + i, 8 + i, 12 + i);
    for (let i = 0; i < 4; i++) quarter(i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4));
  }
  return s.map((word, i) => word + start[i]);
}

/**
 * Returns uniform random numbers for `count` images of `values` values each.
 * With `completions`, the images are completions of the same image, as in `sample --complete`.
 */
export function uniform(seed, count, values, completions = false) {
  const words = key(seed);
  const numbers = new Float32Array(count * values);
  for (let n = 0; n < count; n++) {
    const stream = completions ? [0, n] : [n, 0];
    for (let i = 0; i < values; i += 16) {
      const drawn = block(words, i / 16, stream);
      for (let k = 0; k < 16 && i + k < values; k++) {
        // 24 bits, as many as the mantissa of a 32-bit float has.
        numbers[n * values + i + k] = (drawn[k] >>> 8) / 2 ** 24;
      }
    }
  }
  return numbers;
}
