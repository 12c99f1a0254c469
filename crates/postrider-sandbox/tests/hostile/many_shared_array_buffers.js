// expect: OutOfMemory | Timeout | Thrown
function handler(input) {
  const all = [];
  for (;;) all.push(new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));
}
