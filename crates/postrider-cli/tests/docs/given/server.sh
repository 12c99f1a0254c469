# A server that may deliver to this machine, and a token for it.
POSTRIDER_ALLOW_NETWORKS=127.0.0.0/8 postrider serve >server.log 2>&1 &
until curl -s http://127.0.0.1:8071/api/v1/health/ready; do sleep 0.1; done
export POSTRIDER_TOKEN=$(postrider token create)
