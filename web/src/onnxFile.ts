/** What an ONNX file asks of the machine, before ONNX Runtime does it; see lipseg/inference/onnx_file.py. */

import { LipsegError } from "./errors.js";

// Field numbers of onnx.proto: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
const [GRAPH, FUNCTIONS] = [7, 25]; // of ModelProto
const [NODE, INITIALIZER, SPARSE] = [1, 5, 15]; // of GraphProto
const [OP, ATTRIBUTE, DOMAIN] = [4, 5, 7]; // of NodeProto
const [TENSOR, SUBGRAPH, TENSORS, SUBGRAPHS] = [5, 6, 10, 11]; // of AttributeProto
const [EXTERNAL, LOCATION] = [13, 14]; // of TensorProto

type Field = [number: number, value: number | Uint8Array];

/**
 * Refuses an ONNX file that names other files, custom operators, functions, loops or branches.
 *
 * @throws LipsegError that names the file
 */
export function checkOnnx(content: Uint8Array, origin: string): void {
  const refuse = (what: string): never => {
    throw new LipsegError(`${origin}: ${what}; get the folder again`);
  };
  const tensor = (message: Uint8Array): void => {
    for (const [field, value] of fields(message)) {
      if (field === EXTERNAL || (field === LOCATION && value !== 0)) refuse("names another file that holds its weights");
    }
  };
  const node = (message: Uint8Array): void => {
    const parts = [...fields(message)];
    const found = parts.find(([field]) => field === OP)?.[1];
    const op = found instanceof Uint8Array ? printable(found) : "";
    for (const [field, value] of parts) {
      if (field === DOMAIN && !["", "ai.onnx"].includes(printable(inner(value)))) refuse(`has the custom operator "${op}"`);
      if (field !== ATTRIBUTE) continue;
      for (const [part, attribute] of fields(inner(value))) {
        if (part === SUBGRAPH || part === SUBGRAPHS) refuse(`has a loop or a branch, the operator "${op}"`);
        if (part === TENSOR || part === TENSORS) tensor(inner(attribute));
      }
    }
  };
  try {
    for (const [field, value] of fields(content)) {
      if (field === FUNCTIONS) refuse("defines functions, as no network of lipseg does");
      if (field !== GRAPH) continue;
      for (const [part, found] of fields(inner(value))) {
        if (part === NODE) node(inner(found));
        else if (part === INITIALIZER) tensor(inner(found));
        else if (part === SPARSE) refuse("holds sparse weights, as no network of lipseg does");
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    refuse("is no ONNX file, or cut off");
  }
}

function printable(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, 40)).replace(/[^\x20-\x7e]/g, "?");
}

function inner(value: number | Uint8Array): Uint8Array {
  if (typeof value === "number") throw new RangeError("a number where a message belongs");
  return value;
}

/**
 * Yields number and value of each field of a protobuf message: a number, or the bytes of anything longer.
 *
 * @throws RangeError if the message ends in a field, or holds one of no known kind
 */
function* fields(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) break;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new RangeError("a number without an end");
  };
  while (at < message.length) {
    const key = varint();
    const kind = key % 8;
    const field = Math.floor(key / 8);
    if (kind === 0) {
      yield [field, varint()];
      continue;
    }
    const length = kind === 2 ? varint() : kind === 1 ? 8 : kind === 5 ? 4 : NaN;
    if (!(at + length <= message.length)) throw new RangeError("cut off");
    yield [field, message.subarray(at, at + length)];
    at += length;
  }
}
