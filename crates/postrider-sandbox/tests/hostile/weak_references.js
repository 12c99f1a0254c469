// expect: returns 1 | Timeout | OutOfMemory
function handler(input) {
  const registry = new FinalizationRegistry(() => { for (;;) {} });
  for (let i = 0; i < 1000; i++) registry.register({ i }, i);
  return 1;
}
