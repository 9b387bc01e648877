"""rtvoiced as a service: installed, started, watched and removed, by systemd or launchd.

What is to be done to the machine is a list of steps (`steps`), which can be
shown before it is done. `supervisor` says what a service manager does for us;
`systemd` and `launchd` do it; `actions`, `reports` and `views` are the verbs
``service``, ``doctor``, ``logs`` and ``config``.
"""
