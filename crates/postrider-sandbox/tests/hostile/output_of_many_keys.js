// expect: OutputTooLarge | OutOfMemory | Timeout
function handler(input) {
  const all = {};
  for (let i = 0; i < 100000; i++) all['key' + i] = i;
  return all;
}
