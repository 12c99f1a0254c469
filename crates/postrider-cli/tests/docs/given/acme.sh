# The application acme of the quick start, with its event type, its endpoint, and a receiver.
postrider app create name=Acme uid=acme
postrider event-type create name=invoice.paid description="An invoice was paid"
postrider endpoint create acme uid=main url=http://127.0.0.1:9000/
python3 "$REPOSITORY/examples/receiver.py" "$(postrider endpoint secret acme main | awk '{ print $2 }')" >receiver.log &
until (: </dev/tcp/127.0.0.1/9000) 2>/dev/null; do sleep 0.1; done
