// expect: OutOfMemory | Timeout
function handler(input) {
  const all = new Map();
  for (let i = 0; ; i++) all.set(i, { i });
}
