"""The program `rtvoiced`: it builds the objects, joins them, and runs until it is asked to stop.

Everything that happens is an input, everything done about it an effect. The
conversation turns the first into the second and does nothing else; this package
does the rest.

| module | what it owns |
|---|---|
| `build` | the making of every object, and the place where a test puts in its own |
| `daemon` | the loop: inputs → conversation → effects |
| `mailbox` | where parts post what another part takes: it closes the circles between them |
| `effect_runner` | each effect of the conversation, carried out |
| `audio_reports` | what the audio thread tells, turned into inputs |
| `commands` | the commands of the clients: a table, one module a family |
| `event_fan_out` | each published event, told to everybody who wants it |
| `lifetime`, `shells`, `signals` | how the daemon begins and ends |
| `uplink`, `timers`, `mute_file`, `embedded_server` | single shells |
| `settings_applier`, `session_config` | what the settings mean while the daemon runs |
| `status`, `stats`, `levels`, `transcript` | what people and programs are told of it |
| `check` | `rtvoiced --check` |

A class that holds its collaborators is a dataclass with neither equality nor a repr: there is
one object of it, nobody prints it, and the methods that are not generated save a
millisecond each at every start. Only `rtvoiced.__main__` and the doctor import
anything from here.
"""
