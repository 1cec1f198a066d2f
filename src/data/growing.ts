/** Numbers that arrive one after another, kept in a typed array that doubles: no object a number. */
export interface Growing<T extends Int32Array | Uint32Array | Uint8Array | Float64Array> {
  readonly length: number;
  /** The array behind; longer than `length`. A new one after a push that did not fit. */
  readonly data: T;
  push(value: number): void;
}

export function growing<T extends Int32Array | Uint32Array | Uint8Array | Float64Array>(
  type: new (length: number) => T,
  capacity = 1024,
): Growing<T> {
  let data = new type(capacity);
  let length = 0;
  return {
    get length() {
      return length;
    },
    get data() {
      return data;
    },
    push(value) {
      if (length === data.length) {
        const larger = new type(data.length * 2);
        larger.set(data);
        data = larger;
      }
      data[length++] = value;
    },
  };
}
