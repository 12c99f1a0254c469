// expect: Timeout
function handler(input) {
  for (;;) {
    try {
      for (;;) {}
    } catch {}
  }
}
