// expect: Timeout | OutOfMemory
function handler(input) {
  for (;;) {
    try {
      const all = [];
      for (;;) all.push(new Array(1000).fill(all));
    } catch {}
  }
}
