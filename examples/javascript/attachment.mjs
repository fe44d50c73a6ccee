// A program of a Glow node: docs/concepts/wire.md, sections 5 and 6, from the side of who owns one resource.
//
// Not here, because the example has no use for it: calls to others, streams of arguments, capabilities, values above 64 KiB.

import { createHash } from "node:crypto";
import net from "node:net";
import { encode, Encoded, Reader } from "./messagepack.mjs";

const VERSION = 1;
const MAX_FRAME = 2 ** 20 + 2 * 2 ** 16;
const WINDOW = 256 * 2 ** 10; // room for notifications, and for the items of a stream, in bytes
const REQUEST = 1, RESULT = 2, ERROR = 3, NOTIFY = 4, CANCEL = 5, ITEM = 6, CREDIT = 8;
const ATTACH = 13, REGISTER = 14, ATTACHED = 15, REGISTERED = 16;
const ARGUMENTS = 0, RESULTS = 1;
const NO_SUCH_RESOURCE = 2, NO_SUCH_METHOD = 3, INVALID_ARGUMENT = 5, TOO_LARGE = 6, CALL_CANCELLED = 8,
  DEADLINE_EXCEEDED = 9, INTERNAL = 11;
const NIL = new Encoded(Buffer.from([0xc0]));

/** An error that a method declares: `name` is `library.Error`, `fields` are its values in their order. */
export class Declared extends Error {
  constructor(name, ...fields) {
    super(name);
    this.code = createHash("sha256").update(name).digest().readUInt32BE(0);
    this.body = encode(fields);
  }
}

/** One of the errors that any call may end with (docs/concepts/wire.md, 5). */
export class System extends Error {
  constructor(code, message, hint = "") {
    super(message);
    this.code = code;
    this.body = encode([message, "", hint]);
  }
}

/** The room that the other side gave a stream: who has none left waits for more. */
class Room {
  #left = WINDOW;
  #waiting = [];

  spend(size) {
    this.#left -= size;
  }

  add(size) {
    this.#left += size;
    for (const go of this.#waiting.splice(0)) go();
  }

  async wait() {
    while (this.#left <= 0) await new Promise((go) => this.#waiting.push(go));
  }
}

/**
 * Serves `handlers`, by the names of the methods of `proto`, until the node goes away. `schema` is what
 * `glow idl describe` wrote. A handler gets the arguments and `{caller, signal}`, whose signal aborts when the caller gives
 * up; one whose method has a stream as its result gives an iterable, async or not.
 */
export async function serve(proto, schema, handlers) {
  const descriptor = Number(process.env.GLOW_ATTACH_FD);
  if (!process.env.GLOW_ATTACH_FD) throw new Error("start it with: glow create program --label NAME -- node FILE");
  const socket = new net.Socket({ fd: descriptor });
  const described = { describe: () => [proto, Buffer.from(schema)], ...handlers };
  await new Attachment(socket, proto, schema, described).run(Buffer.from(process.env.GLOW_ATTACH_TOKEN ?? "", "hex"));
}

class Attachment {
  constructor(socket, proto, schema, handlers) {
    this.socket = socket;
    this.proto = proto;
    this.schema = schema;
    this.handlers = handlers;
    this.methods = methodsOf(JSON.parse(schema), proto);
    this.calls = new Map(); // open calls by their numbers: {room, abort}
    this.consumed = 0; // bytes of notifications since room was given back
    this.buffered = Buffer.alloc(0);
  }

  async run(token) {
    this.say([ATTACH, VERSION, token]);
    for await (const data of this.socket) {
      this.buffered = Buffer.concat([this.buffered, data]);
      for (let frame = this.frame(); frame !== null; frame = this.frame()) this.receive(frame);
    }
  }

  /** The next whole frame, or null. */
  frame() {
    if (this.buffered.length < 4) return null;
    const size = this.buffered.readUInt32BE(0);
    if (size > MAX_FRAME) throw new RangeError(`a frame of ${size} bytes`);
    if (this.buffered.length < 4 + size) return null;
    const frame = this.buffered.subarray(4, 4 + size);
    this.buffered = this.buffered.subarray(4 + size);
    return frame;
  }

  /** Sends messages in one frame; true while the socket takes more. */
  say(...messages) {
    const record = encode(messages);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(record.length);
    return this.socket.write(Buffer.concat([length, record]));
  }

  receive(frame) {
    const reader = new Reader(frame);
    for (let count = reader.array(); count > 0; count--) this.message(new Reader(reader.skip()));
  }

  message(reader) {
    const fields = reader.array();
    const kind = reader.next();
    if (kind === NOTIFY) return this.notified(reader);
    const rest = [];
    for (let index = 1; index < fields; index++) rest.push(reader.next());
    switch (kind) {
      case ATTACHED: return this.attached(rest);
      case REGISTERED: return this.registered(rest);
      case REQUEST: return void this.requested(rest);
      case CANCEL: return this.calls.get(rest[0])?.abort.abort(new System(CALL_CANCELLED, "the caller gave up"));
      case CREDIT: return this.calls.get(rest[0])?.room.add(rest[2]);
      default: return; // nothing that concerns a program which only serves
    }
  }

  attached([, , , identity, label]) {
    this.identity = identity;
    this.say([REGISTER, label, identity, this.proto, Buffer.from(this.schema)]);
  }

  registered([, refused]) {
    if (refused) throw new Error(`the node refused to register: ${refused}`);
  }

  // --- calls

  async requested([number, resource, selector, deadline, , given, , caller]) {
    const call = { room: new Room(), abort: new AbortController() };
    const { signal } = call.abort;
    const late = new System(DEADLINE_EXCEEDED, "the deadline passed");
    const timer = deadline === null ? undefined : setTimeout(() => call.abort.abort(late), deadline / 1000);
    this.calls.set(number, call);
    try {
      const method = this.find(resource, selector);
      const streams = method.result?.kind === "Stream";
      const result = this.handlers[method.name](...this.arguments(method, given), { caller, signal });
      if (streams) await this.stream(number, call, result);
      const value = streams ? NIL : ((await result) ?? null);
      if (signal.aborted) throw signal.reason;
      this.say([RESULT, number, value]);
    } catch (error) {
      this.say([ERROR, number, ...this.describe(error)]); // each call has a last word, also one that was given up
    } finally {
      clearTimeout(timer);
      this.calls.delete(number);
    }
  }

  async stream(number, { room, abort }, items) {
    const aborted = new Promise((go) => abort.signal.addEventListener("abort", () => go(null)));
    const iterator = items[Symbol.asyncIterator]?.() ?? items[Symbol.iterator]();
    for (;;) {
      const step = await Promise.race([iterator.next(), aborted]);
      if (step === null || step.done) return;
      const value = new Encoded(encode(step.value));
      await Promise.race([room.wait(), aborted]);
      if (abort.signal.aborted) return;
      room.spend(value.bytes.length);
      if (!this.say([ITEM, number, RESULTS, [value]])) await new Promise((go) => this.socket.once("drain", go));
    }
  }

  find(resource, selector) {
    if (!this.identity.equals(resource)) throw new System(NO_SUCH_RESOURCE, "there is no such resource here");
    const method = this.methods.get(selector);
    if (!method || !this.handlers[method.name]) throw new System(NO_SUCH_METHOD, "there is no such method");
    return method;
  }

  /** Trailing defaults stand for what is missing; what is too much was added later, and is ignored. */
  arguments(method, given) {
    if (!Array.isArray(given)) throw new System(TOO_LARGE, "this program takes no values above 64 KiB");
    const wanted = method.arguments ?? [];
    return wanted.map((argument, index) => {
      const value = index < given.length ? given[index] : argument.default?.[0];
      if (value === undefined) throw new System(INVALID_ARGUMENT, `${argument.name} is missing`);
      check(argument, value);
      return value;
    });
  }

  describe(error) {
    if (error instanceof Declared || error instanceof System) return [error.code, error.body];
    console.error(error);
    return [INTERNAL, encode([`the tally failed: ${error.message}`, "", "see the log of its node"])];
  }

  // --- notifications

  notified(reader) {
    const [resource, selector] = [reader.next(), reader.next()];
    for (let count = reader.array(); count > 0; count--) {
      const bytes = reader.skip();
      this.consumed += bytes.length;
      try {
        const method = this.find(resource, selector);
        this.handlers[method.name](...this.arguments(method, new Reader(bytes).next()), {});
      } catch (error) {
        console.error(`dropped a notification: ${error.message}`);
      }
    }
    if (this.consumed * 2 >= WINDOW) {
      this.say([CREDIT, resource, ARGUMENTS, this.consumed]);
      this.consumed = 0;
    }
  }
}

/** The methods of a proto and its bases, by selector. */
function methodsOf(schema, proto) {
  const declared = new Map(schema.declarations.map((declaration) => [declaration.name, declaration]));
  const methods = new Map();
  for (const names = [proto]; names.length; ) {
    const { bases = [], methods: own = [] } = declared.get(names.pop());
    for (const method of own) methods.set(method.selector, method);
    names.push(...bases);
  }
  return methods;
}

const CHECKS = {
  String: (value) => typeof value === "string",
  u32: (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32,
};

/** The types that this example's interface uses, and their bounds. */
function check({ name, type }, value) {
  const long = type.bound && Buffer.byteLength(String(value)) > type.bound;
  if (long || !(CHECKS[type.kind]?.(value) ?? true)) throw new System(INVALID_ARGUMENT, `${name} does not fit its type`);
}
