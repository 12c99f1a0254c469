// expect: OutOfMemory | Timeout
function handler(input) {
  const all = {};
  for (let i = 0; ; i++) all['key' + i] = i;
}
