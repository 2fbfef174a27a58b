// Rows in and answers out for ONNX Runtime's two JavaScript packages, onnxruntime-node and onnxruntime-web.

/**
 * @param ort the package
 * @param session an InferenceSession of a model file
 * @param rows a list of values for each input by its name: null for a missing number, "" for a missing text;
 *     pictures and encoded rows are lists in lists; optionally a number for alpha, the false-alarm rate
 * @returns a flat list of values for each output by its name; contributions row by row
 */
export async function score(ort, session, rows) {
  const given = session.inputMetadata.filter(({ name }) => Object.hasOwn(rows, name));
  // Not feeds[name] = ...: a column may be called __proto__.
  const feeds = Object.fromEntries(given.map(({ name, type }) => [name, tensor(ort, type, rows[name])]));
  const answers = await session.run(feeds);
  const lists = Object.fromEntries(session.outputNames.map((name) => [name, values(answers[name])]));
  // These packages cannot set an input that has a default, as alpha has; the graph compares just so.
  if ("alpha" in rows) lists.is_anomaly = lists.p_value.map((p) => p <= Math.fround(rows.alpha));
  return lists;
}

function tensor(ort, type, values) {
  if (type === "string") return new ort.Tensor("string", values, [values.length]);
  if (type === "float32") return new ort.Tensor("float32", Float32Array.from(values.flat()), shape(values));
  if (type === "uint8") return new ort.Tensor("uint8", Uint8Array.from(values.flat(3)), shape(values));
  return new ort.Tensor("float64", Float64Array.from(values, (value) => value ?? NaN), [values.length]);
}

function values({ data, type }) {
  return Array.from(data, type === "bool" ? Boolean : undefined);
}

// Of lists in lists; of pictures: how many, height, width, channels.
function shape(values) {
  return Array.isArray(values) ? [values.length, ...shape(values[0])] : [];
}
