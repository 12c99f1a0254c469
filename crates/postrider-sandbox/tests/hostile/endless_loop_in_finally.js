// expect: Timeout
function handler(input) {
  try {
    for (;;) {}
  } finally {
    for (;;) {}
  }
}
