// Score rows with a model file in Node.js:
//
//     npm install --ignore-scripts && node score.mjs MODEL.onnx ROWS.json > answers.json

import { readFile } from "node:fs/promises";
import ort from "onnxruntime-node";
import { score } from "./rows.mjs";

const [model, rows] = process.argv.slice(2);
const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
console.log(JSON.stringify(await score(ort, session, JSON.parse(await readFile(rows, "utf8")))));
