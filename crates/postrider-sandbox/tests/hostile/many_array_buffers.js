// expect: OutOfMemory | Timeout
function handler(input) {
  const all = [];
  for (;;) all.push(new Uint8Array(1 << 20).fill(1));
}
