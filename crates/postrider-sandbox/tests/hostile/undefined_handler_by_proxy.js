// expect: NoHandler | Thrown
Object.setPrototypeOf(globalThis, new Proxy({}, { has: () => true, get() { throw 1; } }));
