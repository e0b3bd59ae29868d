// Samples images with `step.onnx` and `row.onnx`. It works for any model: the outputs of one graph are
// the inputs of the other with the same names.

const size = (shape) => shape.reduce((all, n) => all * n, 1);

export class Sampler {
  constructor(ort, description, step, row) {
    Object.assign(this, { ort, description, step, row });
  }

  static async load(ort, description, read) {
    const options = { executionProviders: ["wasm"] };
    const create = async (file) => ort.InferenceSession.create(await read(file), options);
    const step = await create(description.files.step);
    return new Sampler(ort, description, step, await create(description.files.row));
  }

  /**
   * Samples `count` images and returns their levels, [count, height, width, colors].
   *
   * `uniform` has a random number for each value. Where `mask` is 1, the level in `given` is kept; both
   * have the shape of the result. `labels` has a class for each image. `onRow(images, rows)` is called
   * after each row, and `pause()` is awaited regularly. `signal` stops the loop between two pixels.
   */
  async draw({ count, uniform, given, mask, labels, temperature = 1, onRow, pause, signal }) {
    const { image, label, step, row } = this.description;
    const { height, width, colors } = image;
    const values = height * width * colors;
    const images = new Float32Array(count * values);
    const none = new Float32Array(count * values);
    const extents = ({ shape }) => shape.map((n) => n ?? count);
    const float = (data, dims) => new this.ort.Tensor("float32", data, dims);
    const fixed = { inverse_temperature: float(Float32Array.of(1 / temperature), [1]) };
    if (label) {
      const classes = BigInt64Array.from(labels ?? new Array(count).fill(0), BigInt);
      fixed[label.name] = new this.ort.Tensor("int64", classes, [count]);
    }
    // The values of one pixel in all images.
    const pixel = (all, y, x) => {
      const part = new Float32Array(count * colors);
      const at = (y * width + x) * colors;
      for (let n = 0; n < count; n++) {
        for (let c = 0; c < colors; c++) part[n * colors + c] = all[n * values + at + c];
      }
      return float(part, [count, colors]);
    };

    // The state that is passed from row to row; zero before the first.
    const between = {};
    const done = [];
    for (const input of row.inputs) {
      if (fixed[input.name]) continue;
      const dims = extents(input);
      between[input.name] = float(new Float32Array(size(dims)), dims);
      if (input.name.startsWith("done.")) done.push({ name: input.name, dims });
    }
    const slices = step.inputs.filter(({ name }) => name.startsWith("row."));
    const states = step.inputs.filter(({ name }) => name.startsWith("state."));
    // Selects the inputs of a graph.
    const own = ({ inputs }, feeds) => Object.fromEntries(inputs.map(({ name }) => [name, feeds[name]]));

    for (let y = 0; y < height; y++) {
      const begun = await this.row.run(own(row, { ...fixed, ...between }));
      const carried = Object.fromEntries(states.map(({ name }) => [name, begun[name]]));
      const stacked = done.map(({ dims }) => new Float32Array(size(dims)));
      for (let x = 0; x < width; x++) {
        signal?.throwIfAborted();
        const feeds = { ...fixed, ...carried, uniform: pixel(uniform, y, x) };
        feeds.given = pixel(given ?? none, y, x);
        feeds.mask = pixel(mask ?? none, y, x);
        for (const input of slices) {
          const dims = extents(input);
          const length = size(dims);
          feeds[input.name] = float(begun[input.name].data.subarray(x * length, (x + 1) * length), dims);
        }
        const drawn = await this.step.run(own(step, feeds));
        for (const { name } of states) carried[name] = drawn[`${name}.next`];
        done.forEach(({ name }, i) => stacked[i].set(drawn[name].data, x * drawn[name].data.length));
        const levels = drawn.pixel.data;
        for (let n = 0; n < count; n++) {
          for (let c = 0; c < colors; c++) {
            images[n * values + (y * width + x) * colors + c] = levels[n * colors + c];
          }
        }
        await pause?.();
      }
      for (const name of Object.keys(between)) {
        if (!name.startsWith("done.") && name !== "begun") between[name] = begun[`${name}.next`];
      }
      done.forEach(({ name, dims }, i) => (between[name] = float(stacked[i], dims)));
      between.begun = float(Float32Array.of(1), [1]);
      await onRow?.(images, y + 1);
    }
    return images;
  }
}
