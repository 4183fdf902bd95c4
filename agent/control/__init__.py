"""The main loop: what is known becomes a Situation, a plan, schedules, setpoints."""
