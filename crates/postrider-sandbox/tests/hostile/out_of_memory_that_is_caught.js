// expect: returns "survived" | OutOfMemory | Timeout
function handler(input) {
  const all = [];
  try {
    for (;;) all.push('a'.repeat(100000) + all.length);
  } catch {
    all.length = 0;
    return 'survived';
  }
}
