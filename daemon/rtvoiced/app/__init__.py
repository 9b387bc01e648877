"""The program: builds the objects, runs the loop, joins the shells to the conversation."""
