/** Of the JavaScript standard's web part, which the compiler's `es` libraries leave out: as much as is used. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number }) => WebAssemblyMemory;
  readonly Module: new (bytes: Uint8Array) => WebAssemblyModule;
  readonly Instance: new (
    module: WebAssemblyModule,
    imports: Readonly<Record<string, Readonly<Record<string, WebAssemblyMemory>>>>,
  ) => { readonly exports: Readonly<Record<string, (...parameters: number[]) => number>> };
};

export interface WebAssemblyMemory {
  readonly buffer: ArrayBuffer;
}

export interface WebAssemblyModule {
  readonly [Symbol.toStringTag]: string;
}

export const { Memory, Module, Instance } = WebAssembly;
