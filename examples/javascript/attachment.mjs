// The attached side of a local attachment: what a process in JavaScript needs to serve a resource, written from
// docs/concepts/wire.md (5 Messages, 6 Local attachment) and docs/concepts/language.md (Payload encoding).

import net from "node:net";
import { Extension, Raw, decode, elements, encode } from "./messagepack.mjs";

const VERSION = 1;
const [REQUEST, RESULT, ERROR, NOTIFY, CANCEL, ITEM, CREDIT, RELEASE] = [1, 2, 3, 4, 5, 6, 8, 11];
const [ATTACH, REGISTER, ATTACHED, REGISTERED] = [13, 14, 15, 16];
const [ARGUMENTS, RESULTS] = [0, 1];
const [NO_SUCH_METHOD, INVALID_ARGUMENT, TOO_LARGE, CANCELLED, DEADLINE_EXCEEDED, INTERNAL] = [3, 5, 6, 8, 9, 11];
const START_CREDIT = 256 * 1024;
const BATCH = 16 * 1024; // bytes of items in one message, 64 KiB at most
const MAX_FRAME = 2 * 1024 * 1024;

/** A system error: its code, what happened, why, and what helps. */
export class SystemError extends Error {
  constructor(code, message, cause = "", hint = "") {
    super(message);
    this.code = code;
    this.body = encode([message, cause, hint]);
  }
}

export class InvalidArgument extends SystemError {
  constructor(message, cause, hint) {
    super(INVALID_ARGUMENT, message, cause, hint);
  }
}

/** An interface: the compiled schema, whose numbers say what a message means. */
class Interface {
  constructor(schema, proto) {
    this.schema = schema;
    this.proto = proto;
    this.declared = new Map(JSON.parse(schema.toString()).declarations.map((item) => [item.name, item]));
    this.methods = new Map(this.offered(proto).map((method) => [method.selector, method]));
  }

  /** The methods of a proto and of its bases. */
  offered(name) {
    const { bases = [], methods = [] } = this.declared.get(name);
    return [...methods, ...bases.flatMap((base) => this.offered(base))];
  }

  /** A declared error as it is thrown: its name without the library, and its fields in order. */
  error(name, ...fields) {
    const { code } = this.declared.get(`${this.proto.slice(0, this.proto.lastIndexOf("."))}.${name}`);
    return Object.assign(new Error(`${name}: ${fields.join(", ")}`), { code, body: encode(fields) });
  }
}

/** The values of encoded arguments: a missing tail has its defaults, an unknown one is ignored. */
function valuesOf(method, bytes) {
  let given;
  try {
    given = decode(bytes);
  } catch (error) {
    throw new InvalidArgument("the arguments cannot be decoded", error.message);
  }
  if (given instanceof Extension) throw new SystemError(TOO_LARGE, "the arguments are over 64 KiB");
  if (!Array.isArray(given)) throw new InvalidArgument("the arguments are no array");
  return (method.arguments ?? []).map(({ name, type, default: fallback }, index) => {
    if (index < given.length) return checked(name, type, given[index]);
    if (fallback !== undefined) return fallback[0];
    throw new InvalidArgument(`${name} is missing`);
  });
}

/** Types of numbers are checked here; a process that takes others checks them itself. */
function checked(name, type, value) {
  const [, sign, bits] = /^([ui])(8|16|32|64)$/.exec(type.kind) ?? [];
  if (bits === undefined) return value;
  const [low, high] = sign === "u" ? [0n, 2n ** BigInt(bits)] : [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1)];
  const whole = typeof value === "bigint" || Number.isInteger(value);
  if (!whole || value < low || value >= high) throw new InvalidArgument(`${name} is no ${type.kind}`);
  return value;
}

/** A call that is being served, until its last word. */
class Call {
  constructor(number) {
    this.number = number;
    this.credit = START_CREDIT;
    this.stopped = new Promise((_, reject) => {
      this.stop = reject;
    });
    this.stopped.catch(() => {}); // most calls are never stopped
    this.more = () => {};
  }

  /** Waits until an item may be sent. Throws what the call was stopped by. */
  async room() {
    while (this.credit <= 0) {
      await Promise.race([this.stopped, new Promise((resolve) => { this.more = resolve; })]);
    }
  }
}

class Attachment {
  constructor(socket, face, makeHandlers) {
    this.socket = socket;
    this.face = face;
    this.makeHandlers = makeHandlers;
    this.calls = new Map();
    this.unread = Buffer.alloc(0);
    socket.on("data", (data) => this.read(data));
    socket.on("close", () => process.exit(0)); // the node is gone, and starts us again when it is back
    socket.on("error", (error) => fail(`the attachment broke: ${error.message}`));
    this.send(ATTACH, VERSION, Buffer.from(process.env.GLOW_ATTACH_TOKEN, "hex"));
  }

  /** Sends one message, in a frame of its own. Returns false if the node's end is full. */
  send(...message) {
    const record = encode([message]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(record.length);
    return this.socket.write(Buffer.concat([length, record]));
  }

  read(data) {
    this.unread = Buffer.concat([this.unread, data]);
    while (this.unread.length >= 4) {
      const end = 4 + this.unread.readUInt32BE();
      if (end > MAX_FRAME) fail("the node sent a frame that is too long");
      if (this.unread.length < end) return;
      const frame = this.unread.subarray(4, end);
      this.unread = this.unread.subarray(end);
      for (const message of elements(frame)) this.receive(elements(message));
    }
  }

  receive([kind, ...fields]) {
    switch (decode(kind)) {
      case ATTACHED: return this.attached(...fields.map(decode));
      case REGISTERED: return this.registered(...fields.map(decode));
      case REQUEST: return void this.serve(...fields);
      case NOTIFY: return this.notified(...fields);
      case CANCEL: return this.calls.get(decode(fields[0]))?.stop(new SystemError(CANCELLED, "the caller gave up"));
      case CREDIT: return this.credited(...fields.map(decode));
      default: return undefined; // of no use to a process that makes no calls and takes no streams
    }
  }

  attached(version, address, key, resource, label, folder, configuration) {
    this.handlers = this.makeHandlers(this.face, { label, folder, configuration });
    this.send(REGISTER, label, resource, this.face.proto, this.face.schema);
  }

  registered(resource, refused) {
    if (refused) fail(`the node refused the resource: ${refused}`);
  }

  credited(target, direction, size) {
    const call = direction === RESULTS ? this.calls.get(target) : undefined;
    if (call === undefined) return;
    call.credit += size;
    call.more();
  }

  /** Whatever is passed to us and not used is given back. */
  release(capabilities) {
    for (const [resource] of decode(capabilities) ?? []) this.send(RELEASE, resource, 1);
  }

  async serve(number, resource, selector, deadline, grant, given, capabilities) {
    const call = new Call(decode(number));
    this.calls.set(call.number, call);
    this.release(capabilities);
    const left = decode(deadline); // µs
    const timer = left === null ? undefined
      : setTimeout(() => call.stop(new SystemError(DEADLINE_EXCEEDED, "the deadline passed")), left / 1000);
    try {
      const method = this.methodOf(decode(selector));
      const result = this.handlers[method.name](...valuesOf(method, given));
      const streams = method.result?.kind === "Stream";
      const value = streams ? await this.sendItems(call, result) : await Promise.race([result, call.stopped]);
      this.send(RESULT, call.number, value, null);
    } catch (error) {
      this.fail(call, error);
    } finally {
      clearTimeout(timer);
      this.calls.delete(call.number);
    }
  }

  methodOf(selector) {
    const method = this.face.methods.get(selector);
    if (method === undefined || !(method.name in this.handlers)) {
      throw new SystemError(NO_SUCH_METHOD, `${this.face.proto} has no method ${selector}`);
    }
    return method;
  }

  fail(call, error) {
    if (error.body === undefined) console.error(error); // a defect of ours: the caller is told no more than that
    const { code, body } = error.body === undefined ? new SystemError(INTERNAL, "the program failed") : error;
    this.send(ERROR, call.number, code, body);
  }

  /** Sends the items of a generator, many in one message if they are there, never more than the caller has room for. */
  async sendItems(call, items) {
    const oneByOne = Symbol.asyncIterator in items;
    let batch = [];
    let size = 0;
    for await (const item of items) {
      batch.push(new Raw(encode(item)));
      size += batch.at(-1).bytes.length;
      if (oneByOne || size >= Math.min(BATCH, call.credit)) {
        await this.sendBatch(call, batch, size);
        [batch, size] = [[], 0];
      }
    }
    if (batch.length > 0) await this.sendBatch(call, batch, size);
    return null;
  }

  async sendBatch(call, batch, size) {
    await call.room();
    call.credit -= size;
    const takesMore = this.send(ITEM, call.number, RESULTS, batch, null);
    const turn = new Promise((resolve) => { takesMore ? setImmediate(resolve) : this.socket.once("drain", resolve); });
    await Promise.race([turn, call.stopped]);
  }

  notified(resource, selector, given, capabilities) {
    let size = 0;
    this.release(capabilities);
    for (const argument of elements(given)) {
      size += argument.length;
      try {
        const method = this.methodOf(decode(selector));
        this.handlers[method.name](...valuesOf(method, argument));
      } catch (error) {
        console.error(error.message); // nobody waits for an answer
      }
    }
    this.send(CREDIT, decode(resource), ARGUMENTS, size); // they are consumed: the sender has its room back
  }
}

/** The last line on standard error is the reason that `glow ps` shows. */
function fail(reason) {
  console.error(reason);
  process.exit(1);
}

/**
 * Serves one resource of the interface `proto` until the node goes away; `schema` is its compiled schema, as bytes.
 * `makeHandlers(face, context)` gives a function for each method: what it returns or resolves to is the result, and of
 * a stream the iterable of its items. `face.error(name, ...fields)` is thrown for a declared error.
 */
export function serve(schema, proto, makeHandlers) {
  const descriptor = process.env.GLOW_ATTACH_FD;
  if (descriptor === undefined) {
    fail("this program is started by a node: glow create program --label LABEL -- node FILE");
  }
  process.on("SIGTERM", () => process.exit(0));
  process.on("uncaughtException", (error) => fail(`${error.stack}\n${error}`));
  return new Attachment(new net.Socket({ fd: Number(descriptor) }), new Interface(schema, proto), makeHandlers);
}
