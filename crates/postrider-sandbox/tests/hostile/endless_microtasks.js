// expect: Timeout
async function handler() {
  for (;;) await null;
}
