"""The load generator: a process that asks questions as fast as they are answered, at times fixed beforehand, or in step.

Knows sockets, epoll and clocks, and the standard library alone, so that `python -m lab.bench.load` runs wherever Python and
the checkout are: beside the server, in its network namespace, on a board, in a guest. Must not know a protocol: questions and
answers come in its configuration, and an answer is right when it is the same, octet for octet.

One configuration a line on standard input, as JSON:

    host, port      where the server listens
    exchanges       [[question, answer], …], texts of which each character is an octet; connections ask them in turn
    connections     how many ask, each with one question (or `depth`) outstanding
    questions       in all; each connection has its share fixed beforehand
    depth           questions in one segment, answered before the next are sent (default 1)
    idle            silent connections beside them, each served once before the load begins (default 0)
    rate            questions a second, at times drawn from `seed` beforehand (a Poisson process)
    in_step         whether all connections ask at once, and again when all have their answers: what the server finds at a time
                    is no matter of chance then (default false). They are opened, and each is served twenty times, before the
                    load begins, and closed when it has been told what came. The server must serve them all at a time.
    deadline        seconds after which it gives up

With neither `rate` nor `in_step`, each connection asks when it has its answer.

It opens the silent connections, says {"ready": true}, and begins when it reads the line `go`. Then one line tells what came:

    answered        questions answered, octet for octet
    seconds         from the beginning, before connecting, to the last answer
    cpu_seconds     of this process in that time; `busy` is their ratio
    latencies       base64 of unsigned 64-bit nanoseconds, one for each segment of questions: from the moment it was meant to
                    be sent to its last answer. What waits for a connection to be free, or to be accepted, counts.
    sessions        the same, one for each connection: from the beginning to its last answer
    error, text     null, or `wrong-answer`, `lost`, `refused` or `deadline`, and what happened

It closes the silent connections when it reads another line, and says {"closed": true}.
"""
