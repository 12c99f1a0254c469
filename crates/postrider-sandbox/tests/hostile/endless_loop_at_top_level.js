// expect: Timeout
for (;;) {}
function handler() {}
