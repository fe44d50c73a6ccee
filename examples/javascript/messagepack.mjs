// The part of MessagePack that the wire of Glow uses (msgpack.org). Values that are still encoded are Buffers.

/** A value that is encoded already: `encode` puts it where it stands. */
export class Raw {
  constructor(bytes) {
    this.bytes = bytes;
  }
}

/** An extension: its type and bytes. In the place of a value, type 1 stands for one that comes in fragments. */
export class Extension {
  constructor(type, bytes) {
    this.type = type;
    this.bytes = bytes;
  }
}

export function encode(value) {
  const parts = [];
  write(value, parts);
  return Buffer.concat(parts);
}

function write(value, parts) {
  if (value === null || value === undefined) parts.push(Buffer.of(0xc0));
  else if (typeof value === "boolean") parts.push(Buffer.of(value ? 0xc3 : 0xc2));
  else if (typeof value === "bigint" || Number.isInteger(value)) parts.push(integer(value));
  else if (typeof value === "number") parts.push(number(value));
  else if (typeof value === "string") {
    const bytes = Buffer.from(value, "utf8");
    parts.push(bytes.length < 32 ? Buffer.of(0xa0 | bytes.length) : head(0xdb, bytes.length), bytes);
  } else if (value instanceof Raw) parts.push(value.bytes);
  else if (value instanceof Uint8Array) parts.push(head(0xc6, value.length), value);
  else if (Array.isArray(value)) {
    parts.push(value.length < 16 ? Buffer.of(0x90 | value.length) : head(0xdd, value.length));
    for (const item of value) write(item, parts);
  } else throw new TypeError(`a ${typeof value} cannot be sent`);
}

function head(first, length) {
  const bytes = Buffer.alloc(5, first);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function integer(value) {
  if (value >= -32 && value < 128) return Buffer.of(Number(value) & 0xff);
  if (value >= 0 && value < 2 ** 32) return head(0xce, Number(value));
  const bytes = Buffer.alloc(9, value < 0 ? 0xd3 : 0xcf);
  if (value < 0) bytes.writeBigInt64BE(BigInt(value), 1);
  else bytes.writeBigUInt64BE(BigInt(value), 1);
  return bytes;
}

function number(value) {
  const bytes = Buffer.alloc(9, 0xcb);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

/** The value of bytes that hold exactly one. Throws RangeError for what is none. */
export function decode(bytes) {
  const reader = new Reader(bytes);
  const value = reader.value();
  if (reader.at !== bytes.length) throw new RangeError("there is more than one value");
  return value;
}

/** The elements of an encoded array, each still encoded. Throws RangeError for what is no array. */
export function elements(bytes) {
  const reader = new Reader(bytes);
  const found = [];
  for (let left = reader.arrayLength(); left > 0; left--) {
    const start = reader.at;
    reader.value();
    found.push(bytes.subarray(start, reader.at));
  }
  return found;
}

/** Reads values one after the other. Buffer checks every position, so a length that lies throws RangeError. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  value() {
    const first = this.unsigned(1);
    if (first < 0x80) return first;
    if (first < 0x90) return this.map(first & 0x0f);
    if (first < 0xa0) return this.array(first & 0x0f);
    if (first < 0xc0) return this.text(first & 0x1f);
    if (first >= 0xe0) return first - 256;
    return this.marked(first);
  }

  marked(first) {
    if (first === 0xc0) return null;
    if (first === 0xc2 || first === 0xc3) return first === 0xc3;
    if (first >= 0xc4 && first <= 0xc6) return this.take(this.unsigned(1 << (first - 0xc4)));
    if (first >= 0xc7 && first <= 0xc9) return this.extension(this.unsigned(1 << (first - 0xc7)));
    if (first === 0xca) return this.take(4).readFloatBE();
    if (first === 0xcb) return this.take(8).readDoubleBE();
    if (first >= 0xcc && first <= 0xce) return this.unsigned(1 << (first - 0xcc));
    if (first === 0xcf) return small(this.take(8).readBigUInt64BE());
    if (first >= 0xd0 && first <= 0xd2) return this.take(1 << (first - 0xd0)).readIntBE(0, 1 << (first - 0xd0));
    if (first === 0xd3) return small(this.take(8).readBigInt64BE());
    if (first >= 0xd4 && first <= 0xd8) return this.extension(1 << (first - 0xd4));
    if (first >= 0xd9 && first <= 0xdb) return this.text(this.unsigned(1 << (first - 0xd9)));
    if (first === 0xdc || first === 0xdd) return this.array(this.unsigned(first === 0xdc ? 2 : 4));
    if (first === 0xde || first === 0xdf) return this.map(this.unsigned(first === 0xde ? 2 : 4));
    throw new RangeError("0xc1 begins no value");
  }

  arrayLength() {
    const first = this.unsigned(1);
    if (first >= 0x90 && first < 0xa0) return first & 0x0f;
    if (first === 0xdc || first === 0xdd) return this.unsigned(first === 0xdc ? 2 : 4);
    throw new RangeError("an array was expected");
  }

  take(length) {
    if (length > this.bytes.length - this.at) throw new RangeError("a value is longer than what holds it");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  unsigned(size) {
    return this.take(size).readUIntBE(0, size);
  }

  text(length) {
    return this.take(length).toString("utf8");
  }

  extension(length) {
    return new Extension(this.unsigned(1), this.take(length));
  }

  array(length) {
    const items = [];
    for (let left = length; left > 0; left--) items.push(this.value());
    return items;
  }

  map(length) {
    const items = new Map();
    for (let left = length; left > 0; left--) items.set(this.value(), this.value());
    return items;
  }
}

/** A 64-bit integer as a number where that is exact. */
function small(value) {
  const asNumber = Number(value);
  return Number.isSafeInteger(asNumber) ? asNumber : value;
}
