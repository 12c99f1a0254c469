// expect: returns 1 | NoHandler
let reads = 0;
Object.defineProperty(globalThis, 'handler', { get: () => (reads++ ? () => 1 : () => 2) });
