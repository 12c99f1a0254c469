// expect: Timeout | OutOfMemory | Thrown
function handler(input) {
  let value = 3n;
  for (;;) value *= value;
}
