"""What the server hears and speaks with: recognisers and speech programs, all in processes of their own.

Hearing: `recogniser_pool` is what sessions ask; `recogniser_process` runs the
program `recogniser_worker`, which has the decoders of `recogniser` and the `grammar`.
Speaking: `synthesis` speaks a text sentence by sentence (`sentences`), with the
programs that `voices` calls, and finds the ends of words (`word_times`).
"""
