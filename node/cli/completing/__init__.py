"""What can stand at the cursor of a command line that is being typed.

line.py      a line of bash as words, and words as bash must read them
parsers.py   which command's which argument stands at the cursor; imports no more than it must
places.py    what there is for each kind of argument: asks the running node, or looks at local files
"""
