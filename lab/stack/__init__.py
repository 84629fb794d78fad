"""The stack: container engine, images, servers, and who needs them.

Knows Docker, Compose, processes and compose.yaml. Must not know any protocol's rules or any implementation: how a server is
asked whether it is ready, and for its version, stands in compose.yaml under `x-erle`, and is only carried out here.

What other floors use (errors are `lab.errors.LabError`, one clear message each):

    lab = project.Lab.here(root)                        # the checkout's lab; lab.state is .erle/, lab.name erle-<8 hex>
    with leases.Lease(lab, ["postfix"]) as lease:       # brought up if need be, taken down when the last holder leaves
        postfix = lease.services["postfix"]             # service.Service
        host, port = postfix.endpoint(25)               # ("127.0.0.1", chosen by the kernel); endpoint(53, "udp")
        postfix.version, postfix.image, postfix.state, postfix.tail(20)
    accounts.accounts(lab)["user3"].password            # the test users; .address is user3@lab.example
    accounts.authority(lab).certificate                 # the PEM file that a client trusts
    lifecycle.services(lab)                             # {name: Service} as it stands now, one question to the engine
    leases.tidy(lab)                                    # first in every command: cleans up after runners that died
    faults.kill(lab, "dovecot"); faults.start(lab, "dovecot")
    doctor.examine(); remedy.ensure(progress, yes=True)

Modules, from the ground up: `engine`, `plugins` (finding), `apt`, `binfmt`, `daemon`, `doctor`, `remedy` (setting up),
`digests`, `bases`, `images` (building), `project`, `locks`, `ports`, `accounts`, `compose` (the lab of a checkout),
`service`, `readiness`, `versions`, `lifecycle` (running), `leases`, `faults`, `sweep` (sharing, breaking, cleaning).
"""
