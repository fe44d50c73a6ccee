// MessagePack, as much of it as Glow's messages use: https://github.com/msgpack/msgpack/blob/master/spec.md

/** Bytes that are a MessagePack value already, and go out as they are. */
export class Encoded {
  constructor(bytes) {
    this.bytes = bytes;
  }
}

/** The bytes of a value: null, booleans, numbers, BigInts, strings, Buffers (as bin), arrays, Encoded. */
export function encode(value) {
  const parts = [];
  write(value, parts);
  return Buffer.concat(parts);
}

function write(value, parts) {
  if (value === null || value === undefined) parts.push(Buffer.from([0xc0]));
  else if (value === false || value === true) parts.push(Buffer.from([value ? 0xc3 : 0xc2]));
  else if (typeof value === "bigint" || Number.isInteger(value)) parts.push(integer(BigInt(value)));
  else if (typeof value === "number") parts.push(double(value));
  else if (typeof value === "string") writeText(Buffer.from(value, "utf8"), parts);
  else if (value instanceof Encoded) parts.push(value.bytes);
  else if (value instanceof Uint8Array) parts.push(head(value.length, [], [0xc4, 0xc5, 0xc6]), value);
  else if (Array.isArray(value)) {
    parts.push(head(value.length, [0x90, 16], [null, 0xdc, 0xdd]));
    for (const item of value) write(item, parts);
  } else throw new TypeError(`a ${typeof value} cannot be sent`);
}

function writeText(bytes, parts) {
  parts.push(head(bytes.length, [0xa0, 32], [0xd9, 0xda, 0xdb]), bytes);
}

/** What stands before `size` bytes or items: one byte if there are fewer than `short[1]`, else a kind and the size. */
function head(size, short, kinds) {
  if (size < (short[1] ?? 0)) return Buffer.from([short[0] | size]);
  if (size < 0x100 && kinds[0] !== null) return Buffer.from([kinds[0], size]);
  const wide = size >= 0x10000;
  const bytes = Buffer.alloc(wide ? 5 : 3);
  bytes[0] = kinds[wide ? 2 : 1];
  if (wide) bytes.writeUInt32BE(size, 1);
  else bytes.writeUInt16BE(size, 1);
  return bytes;
}

function integer(value) {
  if (value >= -32n && value < 128n) return Buffer.from([Number(value) & 0xff]);
  const bytes = Buffer.alloc(9);
  bytes[0] = value < 0n ? 0xd3 : 0xcf;
  if (value < 0n) bytes.writeBigInt64BE(value, 1);
  else bytes.writeBigUInt64BE(value, 1);
  return bytes;
}

function double(value) {
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

/**
 * Reads values from bytes, one after another. `next()` gives the next value: bin as a Buffer, integers as numbers, or as
 * BigInts where a number would not hold them. `skip()` passes over one and gives its bytes. Both throw RangeError at the end.
 */
export class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.place = 0;
  }

  get done() {
    return this.place >= this.bytes.length;
  }

  skip() {
    const from = this.place;
    this.next();
    return this.bytes.subarray(from, this.place);
  }

  /** The number of items of an array, which follow. */
  array() {
    const kind = this.#u8();
    if ((kind & 0xf0) === 0x90) return kind & 0x0f;
    if (kind === 0xdc) return this.#uint(2);
    if (kind === 0xdd) return this.#uint(4);
    throw new RangeError("an array was expected");
  }

  next() {
    const kind = this.#u8();
    if (kind < 0x80) return kind;
    if (kind >= 0xe0) return kind - 0x100;
    if (kind < 0x90) return this.#map(kind & 0x0f);
    if (kind < 0xa0) return this.#items(kind & 0x0f);
    if (kind < 0xc0) return this.#text(kind & 0x1f);
    return this.#marked(kind);
  }

  #marked(kind) {
    switch (kind) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return this.#take(this.#uint(1 << (kind - 0xc4)));
      case 0xc7: case 0xc8: case 0xc9: return this.#extension(this.#uint(1 << (kind - 0xc7)));
      case 0xca: return this.#take(4).readFloatBE();
      case 0xcb: return this.#take(8).readDoubleBE();
      case 0xcc: case 0xcd: case 0xce: return this.#uint(1 << (kind - 0xcc));
      case 0xcf: return narrow(this.#take(8).readBigUInt64BE());
      case 0xd0: return this.#take(1).readInt8();
      case 0xd1: return this.#take(2).readInt16BE();
      case 0xd2: return this.#take(4).readInt32BE();
      case 0xd3: return narrow(this.#take(8).readBigInt64BE());
      case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return this.#extension(1 << (kind - 0xd4));
      case 0xd9: case 0xda: case 0xdb: return this.#text(this.#uint(1 << (kind - 0xd9)));
      case 0xdc: case 0xdd: return this.#items(this.#uint(kind === 0xdc ? 2 : 4));
      case 0xde: case 0xdf: return this.#map(this.#uint(kind === 0xde ? 2 : 4));
      default: throw new RangeError(`0x${kind.toString(16)} begins no value`);
    }
  }

  #take(size) {
    const end = this.place + size;
    if (end > this.bytes.length) throw new RangeError("the value ends too early");
    const taken = this.bytes.subarray(this.place, end);
    this.place = end;
    return taken;
  }

  #u8() {
    return this.#take(1)[0];
  }

  #uint(size) {
    return this.#take(size).readUIntBE(0, size);
  }

  #text(size) {
    return this.#take(size).toString("utf8");
  }

  #extension(size) {
    return { type: this.#u8(), bytes: this.#take(size) };
  }

  #items(count) {
    const items = [];
    for (let index = 0; index < count; index++) items.push(this.next());
    return items;
  }

  #map(count) {
    const map = new Map();
    for (let index = 0; index < count; index++) map.set(this.next(), this.next());
    return map;
  }
}

function narrow(value) {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}
