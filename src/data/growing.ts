/** Numbers that arrive one after another, kept in a typed array that doubles: no object a number. */
export interface Growing<T extends Int32Array | Uint32Array | Uint8Array | Float32Array | Float64Array> {
  readonly length: number;
  /** The array behind; longer than `length`. A new one after a push that did not fit. */
  readonly data: T;
  push(value: number): void;
  append(values: ArrayLike<number>): void;
}

export function growing<T extends Int32Array | Uint32Array | Uint8Array | Float32Array | Float64Array>(
  type: new (length: number) => T,
  capacity = 1024,
): Growing<T> {
  let data = new type(capacity);
  let length = 0;
  const grow = (needed: number): void => {
    const larger = new type(Math.max(needed, data.length * 2));
    larger.set(data);
    data = larger;
  };
  return {
    get length() {
      return length;
    },
    get data() {
      return data;
    },
    push(value) {
      if (length === data.length) grow(length + 1);
      data[length++] = value;
    },
    append(values) {
      if (length + values.length > data.length) grow(length + values.length);
      data.set(values, length);
      length += values.length;
    },
  };
}
